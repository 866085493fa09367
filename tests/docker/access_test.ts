/** Ways to an engine other than the plain socket. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "node:net";
import { createServer } from "node:tls";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import { makeCertificates } from "../support/certificates.ts";
import { eventually, startExporter } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";
import { startDockerExporter, temporaryEngine } from "../support/simulated_docker.ts";

interface Tunnel extends AsyncDisposable {
  readonly port: number;
}

interface TunnelCertificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Leads TCP connections, or TLS ones from whoever shows a certificate of the CA, to a Unix socket. */
async function openTunnel(socketPath: string, certificates?: TunnelCertificates): Promise<Tunnel> {
  if (!certificates) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      for await (const client of listener) {
        const engine = await Deno.connect({ transport: "unix", path: socketPath });
        client.readable.pipeTo(engine.writable).catch(String);
        engine.readable.pipeTo(client.writable).catch(String);
      }
    })();
    return {
      port: listener.addr.port,
      async [Symbol.asyncDispose](): Promise<void> {
        listener.close();
        await serving;
      },
    };
  }
  const server = createServer({ ...certificates, requestCert: true, rejectUnauthorized: true }, (client) => {
    const engine = connect(socketPath);
    client.pipe(engine).pipe(client);
    for (const [socket, other] of [[client, engine], [engine, client]] as const) {
      socket.on("error", () => other.destroy());
    }
  });
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  );
  return {
    port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

Deno.test({
  name: "docker exporter reads an engine over TCP, as through a socket proxy",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await using setup = await temporaryEngine();
    setup.engine.add(simulatedContainer(0));
    setup.engine.listen();
    await using tunnel = await openTunnel(setup.socketPath);
    const engine = `127.0.0.1:${tunnel.port}`;
    await using exporter = await startExporter("docker", {
      args: [`--docker-host=tcp://${engine}`],
      permissions: ["--no-prompt", "--ignore-env", `--allow-net=0.0.0.0,${engine}`],
    });
    await eventually(async () => {
      assertEquals((await exporter.health()).status, "ok");
      assertStringIncludes(await exporter.metrics(), 'docker_container_state{name="container-0"');
    });
  },
});

Deno.test({
  name: "docker exporter reads an engine over TLS, with a client certificate",
  ...needs("openssl"),
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await using setup = await temporaryEngine();
    setup.engine.add(simulatedContainer(0));
    setup.engine.listen();
    await using certificates = await makeCertificates();
    const [server, client, stranger] = await Promise.all([
      certificates.issue("server"),
      certificates.issue("client"),
      certificates.issue("stranger", { selfSigned: true }),
    ]);
    const ca = await Deno.readTextFile(certificates.ca);
    await using tunnel = await openTunnel(setup.socketPath, {
      ca,
      cert: await Deno.readTextFile(server.cert),
      key: await Deno.readTextFile(server.key),
    });
    const engine = `127.0.0.1:${tunnel.port}`;
    for (
      const { name, files, status } of [
        { name: "known", files: client, status: "ok" },
        { name: "unknown", files: stranger, status: "degraded" },
      ]
    ) {
      const folder = `${certificates.folder}/${name}`;
      await Deno.mkdir(folder);
      await Deno.copyFile(certificates.ca, `${folder}/ca.pem`);
      await Deno.copyFile(files.cert, `${folder}/cert.pem`);
      await Deno.copyFile(files.key, `${folder}/key.pem`);
      await using exporter = await startExporter("docker", {
        args: [
          `--docker-host=tcp://${engine}`,
          `--docker-cert-path=${folder}`,
          "--timeout=1s",
          "--interval=1s",
        ],
        permissions: [
          "--no-prompt",
          "--ignore-env",
          `--allow-read=${folder}`,
          `--allow-net=0.0.0.0,${engine}`,
        ],
      });
      await eventually(async () => assertEquals((await exporter.health()).status, status, name));
      const page = await exporter.metrics();
      assertEquals(page.includes("docker_container_state{"), status === "ok");
    }
  },
});

Deno.test("docker exporter stops at a signal, whatever the engine does", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  engine.add(simulatedContainer(0));
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, {
    args: ["--interval=100ms", "--timeout=1h"],
  });
  await eventually(async () => assertEquals((await exporter.health()).status, "ok"));
  engine.fault = () => "hang";
  engine.requests.length = 0;
  await eventually(() => assert(engine.requests.length > 0));
  exporter.kill("SIGTERM");
  assertEquals(await exporter.exitCode, 0);
});
