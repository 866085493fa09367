/** The web configuration's format; its good and bad cases follow those of Prometheus's exporter-toolkit. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { parseWebConfig, WebConfigError } from "../../../lib/web/config.ts";
import { WebConfigFile } from "../../../lib/web/config_file.ts";
import { needs } from "../../support/programs.ts";

const HASH = `$2y$10$${"a".repeat(53)}`;
const TLS = "tls_server_config: {cert_file: a.pem, key_file: a.key}";

Deno.test("parseWebConfig() reads every key that is offered", () => {
  const config = parseWebConfig(`
tls_server_config:
  cert_file: server.pem
  key: |
    KEY
  client_ca_file: /etc/ca.pem
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS13
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    X-XSS-Protection: 1
    Content-Security-Policy: ""
basic_auth_users:
  alice: ${HASH}
  __proto__: ${HASH}
`);
  assertEquals(config, {
    tls: {
      cert: { file: "server.pem" },
      key: { pem: "KEY\n" },
      clientCa: { file: "/etc/ca.pem" },
      clientAuth: "RequireAndVerifyClientCert",
      minVersion: "TLS13",
      maxVersion: "TLS13",
    },
    headers: new Map([["X-Frame-Options", "deny"], ["X-XSS-Protection", "1"]]),
    users: new Map([["alice", HASH], ["__proto__", HASH]]),
  });
});

for (const text of ["", "# nothing\n", "{}", "tls_server_config:\nbasic_auth_users: ~\n", "---\n"]) {
  Deno.test(`parseWebConfig() takes ${JSON.stringify(text)} as no configuration`, () => {
    assertEquals(parseWebConfig(text), { tls: undefined, headers: new Map(), users: new Map() });
  });
}

const WRONG: [yaml: string, message: string][] = [
  ["just words", "the file must be a mapping"],
  ["- a", "the file must be a mapping"],
  ["a: 'x", "is not valid YAML: unexpected end of the stream"],
  ["{}\n---\n{}", "it must be one YAML document"],
  [
    "basic_auth_users: {}\nbasic_auth_users: {}",
    "line 2, column 1 is not valid YAML: duplicated mapping key",
  ],
  ["basic_auth: {}", 'the file has the unknown key "basic_auth": known are tls_server_config'],
  ["constructor: {}", 'the file has the unknown key "constructor"'],
  ["rate_limit: {interval: 1s, burst: 1}", '"rate_limit" in the file is not offered'],
  ["tls_server_config: {cert_filse: a}", 'tls_server_config has the unknown key "cert_filse"'],
  ["tls_server_config: []", "tls_server_config must be a mapping"],
  ['tls_server_config: {cert_file: "", key_file: a}', 'needs one of "cert" and "cert_file"'],
  ["tls_server_config: {cert: a}", 'needs one of "key" and "key_file"'],
  ["tls_server_config: {min_version: TLS13}", 'needs one of "cert" and "cert_file"'],
  ["tls_server_config: {cert: a, cert_file: b, key: c}", '"cert" and "cert_file" exclude each other'],
  ["tls_server_config: {cert: [a], key: c}", '"cert" must be a text'],
  [TLS.replace("}", ", client_ca_file: c}"), 'needs a "client_auth_type"'],
  [TLS.replace("}", ", client_auth_type: RequireAndVerifyClientCert}"), 'needs one of "client_ca"'],
  [TLS.replace("}", ", client_auth_type: x}"), '"client_auth_type" must be one of NoClientCert'],
  [TLS.replace("}", ", min_version: TLS11}"), '"min_version" must be one of TLS12, TLS13'],
  [TLS.replace("}", ", min_version: TLS13, max_version: TLS12}"), '"min_version" must not be above'],
  [
    TLS.replace("}", ", cipher_suites: [TLS_AES_128_GCM_SHA256]}"),
    '"cipher_suites" in tls_server_config is not',
  ],
  [
    TLS.replace("}", ", curve_preferences: [X25519]}"),
    '"curve_preferences" in tls_server_config is not offered',
  ],
  [
    TLS.replace("}", ", client_allowed_sans: [a]}"),
    '"client_allowed_sans" in tls_server_config is not offered',
  ],
  ["http_server_config: {http2: true}", '"http2" must be false or left out'],
  ["http_server_config: {headers: {Content-Type: foo}}", 'the header "Content-Type" cannot be set'],
  [
    "http_server_config: {headers: {X-Frame-Options: foo}}",
    'the header "X-Frame-Options" must be deny or same',
  ],
  ['http_server_config: {headers: {X-XSS-Protection: "a\\nb"}}', "must be one line of ASCII text"],
  ["basic_auth_users: {john: doe}", 'the user "john" needs a bcrypt hash'],
  ["basic_auth_users: {john: }", 'the user "john" needs a bcrypt hash'],
  ['basic_auth_users: {"a:b": x}', "the user (not shown) cannot log in"],
  [`basic_auth_users: {bob: "${HASH.replace("10", "18")}"}`, 'the hash of the user "bob" has cost 18'],
];

for (const [yaml, message] of WRONG) {
  Deno.test(`parseWebConfig() refuses ${yaml.replaceAll("\n", "\\n").slice(0, 90)}`, () => {
    const error = assertThrows(() => parseWebConfig(yaml), WebConfigError);
    assertStringIncludes(error.message, message);
  });
}

Deno.test("parseWebConfig() never repeats what may be a secret", () => {
  const secret = "hunter2Secret";
  const places = [
    secret,
    `basic_auth_users: {alice: ${secret}}`,
    `basic_auth_users: *${secret}`,
    `basic_auth_users: !${secret} x`,
    `basic_auth_users: {alice: "${secret}`,
    `basic_auth_users: {$2y$10$${secret}: x}`,
    `tls_server_config: {key: ${secret}}`,
    `tls_server_config: {cert: a, key: b, client_auth_type: ${secret}}`,
    `tls_server_config: ${secret}`,
    `http_server_config: {headers: {X-Frame-Options: ${secret}}}`,
    `key: |\n ${secret}\n${secret}`,
  ];
  for (const yaml of places) {
    const { message } = assertThrows(() => parseWebConfig(yaml), WebConfigError);
    assertEquals(message.includes(secret), false, message);
  }
});

function fileOf(files: Record<string, string | Error>): WebConfigFile {
  return new WebConfigFile("/etc/x/web.yml", {
    readTextFile: (path) => {
      const content = files[path] ?? new Deno.errors.NotFound();
      return content instanceof Error ? Promise.reject(content) : Promise.resolve(content);
    },
  });
}

const UNREADABLE: [Record<string, string | Error>, string][] = [
  [{}, 'there is no file "/etc/x/web.yml"'],
  [{ "/etc/x/web.yml": new Deno.errors.PermissionDenied() }, 'permission denied on "/etc/x/web.yml"'],
  [{ "/etc/x/web.yml": new Deno.errors.NotCapable() }, 'add "--allow-read=/etc/x/web.yml"'],
  [{ "/etc/x/web.yml": TLS }, 'there is no file "/etc/x/a.pem"'],
  [
    { "/etc/x/web.yml": TLS, "/etc/x/a.pem": "x", "/etc/x/a.key": "x" },
    '"cert" holds no certificate in PEM form',
  ],
  [{ "/etc/x/web.yml": "#".repeat(2 << 20) }, '"/etc/x/web.yml" is larger than 1 MiB'],
];

for (const [files, message] of UNREADABLE) {
  Deno.test(`WebConfigFile.read() says ${message}`, async () => {
    const error = await assertRejects(() => fileOf(files).read(), WebConfigError);
    assertStringIncludes(error.message, 'Cannot use the web configuration "/etc/x/web.yml": ');
    assertStringIncludes(error.message, message);
  });
}

Deno.test("WebConfigFile.read() returns the same object until a file changes", async () => {
  const files = { "/etc/x/web.yml": "" };
  const file = fileOf(files);
  const first = await file.read();
  assertEquals(await file.read() === first, true);
  files["/etc/x/web.yml"] = "http_server_config: {headers: {X-Frame-Options: deny}}";
  const second = await file.read();
  assertEquals(second.config.headers.size, 1);
  files["/etc/x/web.yml"] = "nonsense";
  await assertRejects(() => file.read(), WebConfigError);
  files["/etc/x/web.yml"] = "http_server_config: {headers: {X-Frame-Options: deny}}";
  assertEquals(await file.read() === second, true);
});

Deno.test({
  name: "What is accepted here, promtool accepts",
  ...needs("promtool"),
  fn: async () => {
    const path = await Deno.makeTempFile({ suffix: ".yml" });
    try {
      await Deno.writeTextFile(
        path,
        `http_server_config: {headers: {X-XSS-Protection: 1}}\nbasic_auth_users: {a: ${HASH}}`,
      );
      parseWebConfig(await Deno.readTextFile(path));
      const { success } = await new Deno.Command("promtool", { args: ["check", "web-config", path] })
        .output();
      assertEquals(success, true);
    } finally {
      await Deno.remove(path);
    }
  },
});
