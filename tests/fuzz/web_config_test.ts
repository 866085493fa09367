/** Random web configurations and credentials: each is accepted or refused in words, and no secret is repeated. */
import { assert, assertEquals } from "@std/assert";
import { BasicAuth } from "../../lib/web/basic_auth.ts";
import { parseWebConfig, WebConfigError } from "../../lib/web/config.ts";
import { fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";

const SECRET = "s3cretvalue";
const HASH = `$2y$10$${"a".repeat(53)}`;
const VALUES = [
  HASH,
  SECRET,
  `"${SECRET}"`,
  `*${SECRET}`,
  `!${SECRET} x`,
  `&${SECRET} x`,
  "",
  "~",
  "[]",
  "{}",
  "{a: b}",
  "true",
  "false",
  "TLS12",
  "TLS13",
  "RequireAndVerifyClientCert",
  "/etc/x.pem",
  "|\n    a\n    b",
  "deny",
  "nosniff",
  "1",
  "<<",
] as const;
const KEYS = {
  tls_server_config: [
    "cert",
    "key",
    "cert_file",
    "key_file",
    "client_ca_file",
    "client_auth_type",
    "min_version",
  ],
  http_server_config: ["http2", "headers"],
  basic_auth_users: ["alice", "bob", "__proto__", '"a:b"', "constructor", "? [x]"],
  rate_limit: ["interval", "burst"],
  unknown: ["x"],
} as const;

function randomConfig(random: Random): string {
  const lines: string[] = [];
  for (
    const section of [
      "tls_server_config",
      "http_server_config",
      "basic_auth_users",
      "rate_limit",
      "unknown",
    ] as const
  ) {
    if (random.chance(section === "unknown" || section === "rate_limit" ? 0.95 : 0.4)) continue;
    lines.push(`${section}: ${random.chance(0.1) ? random.pick(VALUES) : ""}`);
    for (let left = random.int(0, 4); left > 0; left--) {
      lines.push(`  ${random.pick(KEYS[section])}: ${random.pick(VALUES)}`);
    }
  }
  return lines.join("\n");
}

Deno.test("parseWebConfig() accepts or refuses, and repeats no value", async () => {
  let accepted = 0;
  await fuzz("web config", (random) => {
    for (let left = 500; left > 0; left--) {
      const config = randomConfig(random);
      const text = random.chance(0.5) ? random.mutate(config) : config;
      try {
        const { users } = parseWebConfig(text);
        for (const hash of users.values()) assert(/^\$2[aby]\$/.test(hash));
        accepted++;
      } catch (error) {
        assert(error instanceof WebConfigError, `${String(error)} for ${JSON.stringify(text)}`);
        const { message } = error;
        // A mutation may make a key of a part of a value, and an unknown key is named.
        const isRepeated = message.includes(SECRET) || message.includes(HASH.slice(7, 20));
        assert(text !== config || !isRepeated, `${message} for ${text}`);
        assert(message.length < 500 && !message.includes("\n"), message);
      }
    }
  });
  assert(accepted > 0);
});

Deno.test("BasicAuth admits nothing but the password, whatever the header is", async () => {
  const right = `Basic ${btoa("alice:secret")}`;
  await fuzz("basic auth", async (random) => {
    const auth = new BasicAuth({ check: ({ password, hash }) => Promise.resolve(password === hash) });
    auth.setUsers(new Map([["alice", "secret"], ["bob", "other"]]));
    for (let left = 200; left > 0; left--) {
      const credentials = random.mutate("alice:secret");
      const latin = [...credentials].filter((character) => character <= "\xff").join("");
      const authorization = random.chance(0.5) ? random.mutate(right) : `Basic ${btoa(latin)}`;
      const verdict = await auth.check({ authorization, client: "x" });
      const [, encoded = ""] = /^basic +(\S+)$/i.exec(authorization) ?? [];
      const isRight = encoded === "YWxpY2U6c2VjcmV0";
      assertEquals(verdict, isRight ? "admitted" : "refused", authorization);
    }
  });
});
