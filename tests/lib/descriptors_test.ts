/** Running out of file descriptors. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeCertificates } from "../support/certificates.ts";
import { eventually, startExporter, testPermissions } from "../support/exporter_process.ts";
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
  name: "An exporter that can accept no connection any more says so and ends with 1, to be started again",
  ...needs("prlimit"),
  fn: async () => {
    await using exporter = await startExporter("cpu", { prefix: FEW_DESCRIPTORS });
    await flood(exporter.port);
    assertEquals(await exporter.exitCode, 1);
    assertStringIncludes(exporter.stderr(), "Cannot accept connections any more");
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
