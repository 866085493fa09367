/** Running out of file descriptors. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { makeCertificates } from "../support/certificates.ts";
import { eventually, startExporter, testPermissions } from "../support/exporter_process.ts";
import { setOpenFileLimit } from "../support/process_state.ts";
import { needs } from "../support/programs.ts";

const FEW_DESCRIPTORS = ["prlimit", "--nofile=60:60"];

/** Holds as many connections as the system lets through, for a moment. */
async function flood(port: number): Promise<void> {
  const open: Deno.TcpConn[] = [];
  for (let index = 0; index < 100; index++) {
    const connection = await Deno.connect({ port }).catch(() => undefined);
    if (connection) open.push(connection);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const connection of open) connection.close();
}

Deno.test({
  name:
    "An exporter without file descriptors serves who is connected, says so, and accepts again once it has some",
  ...needs("prlimit"),
  fn: async () => {
    await using exporter = await startExporter("cpu", { prefix: FEW_DESCRIPTORS });
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 1 });
    const get = async (path: string): Promise<string> =>
      await (await fetch(`${exporter.url}${path}`, { client })).text();
    await get("/-/ready");
    const before = /process_start_time_seconds \S+/.exec(await get("/metrics"))?.[0];
    await setOpenFileLimit(exporter.pid, 3);
    const waiting = await Deno.connect({ port: exporter.port });
    try {
      await eventually(async () => assertStringIncludes(await get("/health"), "Too many open files"));
      assertStringIncludes(await get("/metrics"), 'exporter_source_up{source="http"} 0');
      await setOpenFileLimit(exporter.pid, 60);
      await waiting.write(new TextEncoder().encode("GET /-/ready HTTP/1.1\r\nhost: x\r\n\r\n"));
      const buffer = new Uint8Array(1024);
      const length = await waiting.read(buffer) ?? 0;
      assertStringIncludes(new TextDecoder().decode(buffer.subarray(0, length)), "HTTP/1.1 200 OK");
    } finally {
      waiting.close();
    }
    const page = await eventually(async () => {
      const page = await get("/metrics");
      assertStringIncludes(page, 'exporter_source_up{source="http"} 1');
      return page;
    });
    assertStringIncludes(page, before ?? "");
    assertMatch(page, /^exporter_accept_failures_total [1-9]\d*$/m);
  },
});

Deno.test({
  name: "Over TLS an exporter accepts connections again once it has file descriptors",
  ...needs("prlimit", "openssl"),
  fn: async () => {
    await using certificates = await makeCertificates();
    const { cert, key } = await certificates.issue("server");
    const config = `${certificates.folder}/web.yml`;
    await Deno.writeTextFile(config, "tls_server_config: {cert_file: server.pem, key_file: server.key}");
    await using exporter = await startExporter("cpu", {
      prefix: FEW_DESCRIPTORS,
      args: [`--web.config.file=${config}`],
      permissions: testPermissions("cpu").map((flag) =>
        flag.startsWith("--allow-read=") ? `${flag},${config},${cert},${key}` : flag
      ),
    });
    await flood(exporter.port);
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(certificates.ca)] });
    await eventually(async () => {
      const response = await fetch(`https://localhost:${exporter.port}/-/ready`, { client });
      assertEquals(await response.text(), "Ready\n");
    });
    const told = exporter.stderr().match(/cannot accept a connection/g)?.length ?? 0;
    assertEquals(told >= 1 && told < 10, true, exporter.stderr());
  },
});
