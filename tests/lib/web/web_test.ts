/** `--web.config.file` on a real exporter, with curl and with a real Prometheus as its clients. */
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import bcrypt from "bcryptjs";
import { CATALOG } from "../../../exporters/catalog.ts";
import { denoFlags } from "../../../lib/command_line.ts";
import type { HealthReport } from "../../../lib/server.ts";
import { type Certificates, type IssuedCertificate, makeCertificates } from "../../support/certificates.ts";
import {
  eventually,
  type ExporterProcess,
  ROOT,
  startExporter,
  testPermissions,
} from "../../support/exporter_process.ts";
import { needs } from "../../support/programs.ts";
import { packageFlags } from "../../../scripts/package_flags.ts";

const PASSWORD = "correct horse";
const HASH = bcrypt.hashSync(PASSWORD, 6).replace("$2b$", "$2y$");

/** The flags of the exporter's task, with its grants to read widened by these files and no more. */
function permissionsFor(...files: string[]): string[] {
  return testPermissions("cpu").map((flag) =>
    flag.startsWith("--allow-read=") ? `${flag},${files.join(",")}` : flag
  );
}

interface Secured {
  readonly config: string;
  readonly files: string[];
  readonly exporter: ExporterProcess;
  readonly client: IssuedCertificate;
  /** Asks with the CA, the client's certificate and, unless undefined, a password; returns body and status. */
  curl(path: string, password?: string, ...args: string[]): Promise<string>;
}

const MUTUAL_TLS = `
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS13
http_server_config:
  headers:
    Strict-Transport-Security: max-age=600
basic_auth_users:
  alice: ${HASH}
`;

/** Starts the cpu exporter with the configuration above. */
async function startSecured(certificates: Certificates): Promise<Secured> {
  const { cert, key } = await certificates.issue("server");
  const client = await certificates.issue("client");
  const config = `${certificates.folder}/web.yml`;
  await Deno.writeTextFile(config, MUTUAL_TLS);
  const files = [config, cert, key, certificates.ca];
  const exporter = await startExporter("cpu", {
    args: [`--web.config.file=${config}`],
    permissions: permissionsFor(...files),
  });
  return {
    config,
    files,
    exporter,
    client,
    async curl(path, password, ...args): Promise<string> {
      const { stdout, stderr } = await new Deno.Command("curl", {
        args: [
          ...["-sS", "-m", "10", "-w", " %{http_code}", "--cacert", certificates.ca],
          ...["--cert", client.cert, "--key", client.key],
          ...(password === undefined ? [] : ["-u", `alice:${password}`]),
          ...args,
          `https://localhost:${exporter.port}${path}`,
        ],
      }).output();
      return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    },
  };
}

async function runToEnd(permissions: string[], ...args: string[]): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...packageFlags("tests"), ...permissions, "exporters/cpu/main.ts", ...args],
    cwd: ROOT,
    stdin: "null",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: "--web.config.file names the grants that are missing, and what is wrong, and ends with 2",
  ...needs("openssl"),
  fn: async () => {
    await using certificates = await makeCertificates();
    const { cert, key } = await certificates.issue("server");
    const config = `${certificates.folder}/web.yml`;
    const start = (...files: string[]): Promise<{ code: number; stderr: string }> =>
      runToEnd(
        files.length > 0 ? permissionsFor(...files) : denoFlags(CATALOG.cpu),
        `--web.config.file=${config}`,
      );
    await Deno.writeTextFile(config, "tls_server_config: {cert_file: server.pem, key_file: server.key}");
    const none = await start();
    assertEquals(none.code, 2);
    assertStringIncludes(none.stderr, `Cannot use the web configuration "${config}": the permissions do not`);
    assertStringIncludes(none.stderr, `"--allow-read=${config}"`);
    const one = await start(config);
    assertEquals(one.code, 2);
    assertStringIncludes(one.stderr, `"--allow-read=${cert},${key}"`);
    await Deno.writeTextFile(config, "tls_server_confic: {}");
    const typo = await start(config);
    assertEquals(typo.code, 2);
    assertStringIncludes(typo.stderr, 'the file has the unknown key "tls_server_confic"');
    assertEquals(typo.stderr.includes("    at "), false, "no stack trace");
  },
});

Deno.test({
  name:
    "An exporter with TLS and passwords serves those who may, health to all with a certificate, and reloads",
  ...needs("openssl", "curl"),
  fn: async () => {
    await using certificates = await makeCertificates();
    const { config, exporter, curl } = await startSecured(certificates);
    await using _ = exporter;
    assertEquals(await curl("/metrics"), "Unauthorized\n 401");
    assertEquals(await curl("/metrics", "wrong"), "Unauthorized\n 401");
    assertEquals(await curl("/-/healthy"), "Healthy\n 200");
    assertEquals(await curl("/-/ready"), "Ready\n 200");
    const page = await curl("/metrics", PASSWORD, "-i");
    assertStringIncludes(page, "HTTP/1.1 200 OK");
    assertStringIncludes(page, "strict-transport-security: max-age=600");
    assertStringIncludes(page, 'exporter_source_up{source="web_config"} 1');
    assertStringIncludes(page, "exporter_certificate_expiry_timestamp_seconds");
    assertStringIncludes(await curl("/metrics", undefined, "-i"), "strict-transport-security: max-age=600");

    let password = PASSWORD;
    const health = async (as?: string): Promise<HealthReport["sources"][number] | undefined> => {
      const report: HealthReport = JSON.parse((await curl("/health", as)).replace(/ 200$/, ""));
      return report.sources.find(({ name }) => name === "web_config");
    };
    const reason = async (): Promise<string> => (await health(password))?.reason ?? "";
    assertEquals(await health(), { name: "web_config", up: true, reason: "" });
    await Deno.writeTextFile(config, MUTUAL_TLS.replace("basic_auth_users", "basic_auth_user"));
    await eventually(async () => assertEquals((await health())?.up, false));
    // Without a password, the state and the word for it; with one, what to do.
    assertEquals(await health(), { name: "web_config", up: false, reason: "invalid" });
    assertEquals(await health("wrong"), { name: "web_config", up: false, reason: "invalid" });
    assertStringIncludes(await reason(), 'unknown key "basic_auth_user"');
    assertStringIncludes(await curl("/metrics", PASSWORD), "exporter_build_info");
    await Deno.writeTextFile(config, MUTUAL_TLS.replace(HASH, bcrypt.hashSync("new", 6)));
    await eventually(async () => assertEquals(await curl("/metrics", PASSWORD), "Unauthorized\n 401"));
    password = "new";
    assertStringIncludes(await curl("/metrics", password), 'exporter_source_up{source="web_config"} 1');

    await certificates.issue("renewed");
    await Deno.copyFile(`${certificates.folder}/renewed.key`, `${certificates.folder}/server.key`);
    await eventually(async () =>
      assertStringIncludes(await reason(), "the key does not belong to the certificate")
    );
    await Deno.copyFile(`${certificates.folder}/renewed.pem`, `${certificates.folder}/server.pem`);
    await eventually(async () => assertStringIncludes(await curl("/-/ready", undefined, "-v"), "CN=renewed"));

    const whole = MUTUAL_TLS.replace(HASH, bcrypt.hashSync("new", 6));
    const half = whole.slice(0, whole.indexOf("  client_ca_file"));
    const weaker: [string, string][] = [
      ["", "it is empty"],
      ["# nothing\n", "it is empty"],
      ["basic_auth_users:\n", "it is empty"],
      [half, "it has no users any more"],
      [whole.slice(whole.indexOf("basic_auth")), "TLS cannot be enabled or disabled at run time"],
      [whole.replace("RequireAnd", "").replace("Cert\n", "CertIfGiven\n"), "asks less of clients"],
    ];
    for (const [text, why] of weaker) {
      await Deno.writeTextFile(config, text);
      await eventually(async () => assertStringIncludes(await reason(), why));
      // Longer than any change takes to be in force.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      assertEquals(await curl("/metrics"), "Unauthorized\n 401", why);
      assertStringIncludes(await reason(), "restore the file, or restart the exporter");
    }
    await Deno.writeTextFile(config, whole);
    await eventually(async () => assertEquals(await reason(), ""));

    exporter.kill();
    assertEquals(await exporter.exitCode, 0);
    for (const secret of [PASSWORD, HASH.slice(-20), "PRIVATE"]) {
      assertEquals(exporter.stderr().includes(secret), false);
    }
  },
});

Deno.test({
  name: "Guessing passwords neither stalls the exporter nor shuts out those who were admitted",
  fn: async () => {
    const config = await Deno.makeTempFile({ suffix: ".yml" });
    try {
      // A check takes a fifth of a second without V8's compiler; two hundred would take a minute.
      await Deno.writeTextFile(config, `basic_auth_users: {alice: ${bcrypt.hashSync(PASSWORD, 6)}}`);
      await using exporter = await startExporter("cpu", {
        args: [`--web.config.file=${config}`],
        permissions: permissionsFor(config),
      });
      const scrape = async (password: string): Promise<number> => {
        const response = await fetch(`${exporter.url}/metrics`, {
          headers: { authorization: `Basic ${btoa(`alice:${password}`)}` },
        });
        await response.body?.cancel();
        return response.status;
      };
      assertEquals(await scrape(PASSWORD), 200);
      let answered = 0;
      const guesses = Promise.all(
        Array.from({ length: 200 }, (_, index) => scrape(`guess ${index}`).finally(() => answered++)),
      );
      for (let index = 0; index < 10; index++) assertEquals(await scrape(PASSWORD), 200);
      const answeredMeanwhile = answered;
      // Before any check of it: a guess that outlives the exporter would hide which check failed.
      const statuses = new Set(await guesses);
      assertLess(answeredMeanwhile, 200, "who was admitted had to wait until the last guess was checked");
      assertEquals(statuses, new Set([401, 503]));
    } finally {
      await Deno.remove(config);
    }
  },
});

Deno.test({
  name: "A real ffmpeg reports over TLS without the password that reading its metrics takes",
  ...needs("openssl", "ffmpeg"),
  fn: async () => {
    await using certificates = await makeCertificates();
    const { cert, key } = await certificates.issue("server");
    const config = `${certificates.folder}/web.yml`;
    await Deno.writeTextFile(
      config,
      `tls_server_config: {cert_file: server.pem, key_file: server.key}\nbasic_auth_users: {alice: "${HASH}"}`,
    );
    await using exporter = await startExporter("ffmpeg", {
      args: [`--web.config.file=${config}`],
      permissions: ["--no-prompt", "--allow-net=0.0.0.0", `--allow-read=${config},${cert},${key}`],
    });
    const url = `https://localhost:${exporter.port}`;
    const encode = await new Deno.Command("ffmpeg", {
      args: [
        ...["-v", "warning", "-f", "lavfi", "-i", "testsrc=s=64x64:d=5:r=25", "-f", "null", "-"],
        ...["-progress", `${url}/progress?job_id=tls`],
      ],
    }).output();
    assertEquals([encode.code, new TextDecoder().decode(encode.stderr)], [0, ""]);
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(certificates.ca)] });
    const get = async (
      authorization: string,
      path: string,
      init: RequestInit = {},
    ): Promise<[number, string]> => {
      const response = await fetch(`${url}${path}`, { client, ...init, headers: { authorization } });
      return [response.status, await response.text()];
    };
    const [status, page] = await get(`Basic ${btoa(`alice:${PASSWORD}`)}`, "/metrics");
    assertEquals(status, 200);
    assertStringIncludes(page, 'ffmpeg_job_frames_total{job_id="tls"} 125\n');
    assertEquals((await get("", "/metrics"))[0], 401);
    assertEquals((await get("", "/jobs/tls/exit?code=0", { method: "POST" }))[0], 401);
    assertEquals(/level=(?:error|warn)/.test(exporter.stderr()), false, exporter.stderr());
  },
});

Deno.test({
  name: "A real Prometheus scrapes over mutual TLS with a password",
  ...needs("openssl", "curl", "prometheus"),
  fn: async () => {
    await using certificates = await makeCertificates();
    const { exporter, client } = await startSecured(certificates);
    await using _ = exporter;
    const folder = certificates.folder;
    const target = (name: string, password: string): string => `
  - job_name: ${name}
    scheme: https
    tls_config: {ca_file: ${certificates.ca}, cert_file: ${client.cert}, key_file: ${client.key}}
    basic_auth: {username: alice, password: ${password}}
    static_configs: [{targets: ["localhost:${exporter.port}"]}]`;
    await Deno.writeTextFile(
      `${folder}/prometheus.yml`,
      `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:${target("right", PASSWORD)}${target("wrong", "wrong")}`,
    );
    const port = freePort();
    const prometheus = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const up = async (): Promise<Record<string, string>> => {
        const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=up`);
        const { data } = await answer.json();
        return Object.fromEntries(
          data.result.map((series: { metric: { job: string }; value: [number, string] }) => [
            series.metric.job,
            series.value[1],
          ]),
        );
      };
      await eventually(async () => assertEquals(await up(), { right: "1", wrong: "0" }), 20_000);
    } finally {
      prometheus.kill("SIGKILL");
      await prometheus.status;
    }
  },
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
