/** TLS for real: openssl makes the certificates, curl and openssl are the clients. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type HttpHandler, textResponse } from "../../../lib/http/message.ts";
import { CLIENT_AUTH, type ClientAuth, TlsLayer, type TlsMaterial } from "../../../lib/http/tls.ts";
import { WebConfigError } from "../../../lib/web/config.ts";
import { checkTlsMaterial, expiryMs } from "../../../lib/web/tls_material.ts";
import { type Certificates, type IssuedCertificate, makeCertificates } from "../../support/certificates.ts";
import { eventually } from "../../support/exporter_process.ts";
import { serveHandler, type TestServer } from "../../support/handlers.ts";
import { needs } from "../../support/programs.ts";

const PROGRAMS = needs("openssl", "curl");

async function material(
  certificates: Certificates,
  { cert, key }: IssuedCertificate,
  change: Partial<TlsMaterial> = {},
): Promise<TlsMaterial> {
  return {
    cert: await Deno.readTextFile(cert),
    key: await Deno.readTextFile(key),
    clientCa: await Deno.readTextFile(certificates.ca),
    clientAuth: "NoClientCert",
    minVersion: "TLS12",
    maxVersion: "TLS13",
    ...change,
  };
}

interface TlsServer extends TestServer {
  use(material: TlsMaterial): void;
}

/** Answers with the method and the length of the body. */
const echo: HttpHandler = async ({ method, readBody }) => {
  let length = 0;
  await readBody((chunk) => void (length += chunk.length));
  return textResponse(`${method} ${length}\n`);
};

function listen(material: TlsMaterial, handler = echo): TlsServer {
  const layer = new TlsLayer(material);
  const server = serveHandler(handler, {
    onError: () => textResponse("failed\n", 500),
    secure: (connection) => layer.secure(connection),
  });
  return {
    ...server,
    use(material): void {
      layer.use(material);
      server.server.retireConnections();
    },
  };
}

async function run(command: string, args: string[], stdin = ""): Promise<{ code: number; out: string }> {
  const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  const output = child.output();
  // openssl s_client ends with its input, so that stays open until the server closes the connection.
  const timer = setTimeout(() => writer.close().catch(() => {}), stdin ? 20_000 : 0);
  const { code, stdout, stderr } = await output;
  clearTimeout(timer);
  await writer.close().catch(() => {});
  return { code, out: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

async function curl(
  server: TlsServer,
  { ca }: Certificates,
  ...args: string[]
): Promise<{ code: number; out: string }> {
  return await run("curl", [
    "-sS",
    "-m",
    "10",
    "--cacert",
    ca,
    ...args,
    `https://localhost:${server.port}/`,
  ]);
}

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async function openssl(server: TlsServer, { ca }: Certificates, ...args: string[]): Promise<string> {
  const target = ["s_client", "-connect", `localhost:${server.port}`, "-CAfile", ca];
  return (await run("openssl", [...target, ...args], REQUEST)).out;
}

const asClient = ({ cert, key }: IssuedCertificate): string[] => ["--cert", cert, "--key", key];

Deno.test({
  name: "Each client_auth_type admits whom it says",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    const own = await certificates.issue("server");
    const clients = {
      none: [],
      signed: asClient(await certificates.issue("client")),
      stranger: asClient(await certificates.issue("stranger", { selfSigned: true })),
    };
    const admitted: Record<ClientAuth, string[]> = {
      NoClientCert: ["none", "signed", "stranger"],
      RequestClientCert: ["none", "signed", "stranger"],
      RequireAnyClientCert: ["signed", "stranger"],
      VerifyClientCertIfGiven: ["none", "signed"],
      RequireAndVerifyClientCert: ["signed"],
    };
    for (const clientAuth of Object.keys(CLIENT_AUTH) as ClientAuth[]) {
      await using server = listen(await material(certificates, own, { clientAuth }));
      const ok: string[] = [];
      for (const [name, args] of Object.entries(clients)) {
        const { out } = await curl(server, certificates, ...args);
        if (out === "GET 0\n") ok.push(name);
      }
      assertEquals([clientAuth, ok], [clientAuth, admitted[clientAuth]]);
    }
  },
});

Deno.test({
  name: "A session that a stranger has begun is not resumed as a verified one",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    const own = await certificates.issue("server");
    const stranger = await certificates.issue("stranger", { selfSigned: true });
    const client = await certificates.issue("client");
    await using server = listen(await material(certificates, own, { clientAuth: "RequestClientCert" }));
    const session = `${certificates.folder}/session`;
    for (const version of ["-tls1_2", "-tls1_3"]) {
      server.use(await material(certificates, own, { clientAuth: "RequestClientCert" }));
      const as = ["-cert", stranger.cert, "-key", stranger.key, version];
      assertStringIncludes(await openssl(server, certificates, ...as, "-sess_out", session), "GET 0");
      assertStringIncludes(await openssl(server, certificates, ...as, "-sess_in", session), "Reused");
      server.use(await material(certificates, own, { clientAuth: "VerifyClientCertIfGiven" }));
      const resumed = await openssl(server, certificates, ...as, "-sess_in", session);
      assertEquals(resumed.includes("GET 0"), false, resumed);
      // One that this server has verified is resumed.
      const known = ["-cert", client.cert, "-key", client.key, version];
      assertStringIncludes(await openssl(server, certificates, ...known, "-sess_out", session), "GET 0");
      const again = await openssl(server, certificates, ...known, "-sess_in", session);
      assertStringIncludes(again, "Reused");
      assertStringIncludes(again, "GET 0");
    }
  },
});

Deno.test({
  name: "min_version and max_version bound what is spoken",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    const own = await certificates.issue("server");
    const answers: Record<string, number[]> = {};
    for (
      const [minVersion, maxVersion] of [["TLS12", "TLS13"], ["TLS13", "TLS13"], ["TLS12", "TLS12"]] as const
    ) {
      await using server = listen(await material(certificates, own, { minVersion, maxVersion }));
      answers[`${minVersion} to ${maxVersion}`] = [
        (await curl(server, certificates, "--tls-max", "1.2")).code,
        (await curl(server, certificates, "--tlsv1.3")).code,
      ];
    }
    assertEquals(answers, { "TLS12 to TLS13": [0, 0], "TLS13 to TLS13": [35, 0], "TLS12 to TLS12": [0, 35] });
  },
});

Deno.test({
  name: "A new certificate is shown to new connections, and old ones end with their request",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    const first = await certificates.issue("first");
    const second = await certificates.issue("second");
    const arrived = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    await using server = listen(await material(certificates, first), async () => {
      arrived.resolve();
      await mayAnswer.promise;
      return textResponse("answered\n");
    });
    const inFlight = curl(server, certificates, "-v");
    await arrived.promise;
    server.use(await material(certificates, second));
    mayAnswer.resolve();
    const { out } = await inFlight;
    assertStringIncludes(out, "CN=first");
    assertStringIncludes(out, "answered");
    assertStringIncludes((await curl(server, certificates, "-v")).out, "CN=second");
  },
});

Deno.test({
  name: "What a handler answers is answered over TLS",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    const own = await certificates.issue("server");
    await using server = listen(await material(certificates, own), async (request) => {
      if (request.headers.has("fail")) throw new Error("as asked");
      let body = 0;
      await request.readBody((chunk) => void (body += chunk.length));
      return textResponse(`${request.method} ${request.client} ${body}`, 200, { "x-y": "z" });
    });
    const get = async (...args: string[]): Promise<string> => (await curl(server, certificates, ...args)).out;
    assertEquals(await get(), "GET 127.0.0.1 0");
    assertEquals(await get("--data-binary", "x".repeat(100_000)), "POST 127.0.0.1 100000");
    assertEquals(await get("-H", "Fail: 1", "-w", "%{http_code}"), "failed\n500");
    assertEquals(await get("-X", "TRACE"), "TRACE 127.0.0.1 0");
    assertStringIncludes(await get("-I"), "x-y: z");
    assertEquals(await get("-H", "Host: a b", "-w", "%{http_code}"), "Malformed or missing Host\n400");
  },
});

Deno.test({
  name: "A body's last bytes are read though the client closes the connection right behind them",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    const own = await certificates.issue("server");
    const bodies: Promise<string>[] = [];
    await using server = listen(await material(certificates, own), async ({ readBody }) => {
      const read = Promise.withResolvers<string>();
      bodies.push(read.promise);
      let text = "";
      const isWhole = await readBody((chunk) => void (text += new TextDecoder().decode(chunk)));
      read.resolve(`${text} ${isWhole}`);
      return textResponse("ok");
    });
    const caCerts = [await Deno.readTextFile(certificates.ca)];
    const encoder = new TextEncoder();
    for (let index = 0; index < 20; index++) {
      const connection = await Deno.connectTls({ hostname: "localhost", port: server.port, caCerts });
      await connection.write(
        encoder.encode("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
      );
      await connection.write(encoder.encode("5\r\nfirst\r\n"));
      if (index % 2 === 0) await eventually(() => assertEquals(bodies.length, index + 1));
      await connection.write(encoder.encode("4\r\nlast\r\n"));
      connection.close();
      await eventually(() => assertEquals(bodies.length, index + 1));
    }
    assertEquals(new Set(await Promise.all(bodies)), new Set(["firstlast false"]));
  },
});

Deno.test({
  name: "checkTlsMaterial() refuses what no client could be served with",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    const own = await certificates.issue("server", { days: 1 });
    const other = await certificates.issue("other");
    const good = await material(certificates, own);
    checkTlsMaterial(good);
    assertEquals(Math.round((expiryMs(good) - Date.now()) / 3_600_000), 24);
    const encrypted = await run("openssl", ["ec", "-in", own.key, "-aes256", "-passout", "pass:x"]);
    const weak = `${certificates.folder}/weak`;
    const newKey = ["-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak"];
    await run("openssl", ["req", "-x509", ...newKey, "-keyout", `${weak}.key`, "-out", `${weak}.pem`]);
    const wrong: [Partial<TlsMaterial>, string][] = [
      [{ cert: "x" }, '"cert" holds no certificate'],
      [
        { cert: good.cert.replace(/[A-Za-z0-9+/]{60}\n/, "\n") },
        '"cert" holds a certificate that is damaged',
      ],
      [{ clientCa: "x" }, '"client_ca" holds no certificate'],
      [{ key: "x" }, '"key" holds no private key'],
      [{ key: encrypted.out }, '"key" holds no private key in PEM form, or an encrypted one'],
      [{ key: await Deno.readTextFile(other.key) }, "the key does not belong to the certificate"],
      [
        { cert: await Deno.readTextFile(`${weak}.pem`), key: await Deno.readTextFile(`${weak}.key`) },
        "RSA of at least 2048 bits",
      ],
    ];
    for (const [change, message] of wrong) {
      const error = assertThrows(() => checkTlsMaterial({ ...good, ...change }), WebConfigError);
      assertStringIncludes(error.message, message);
    }
  },
});

Deno.test({
  name: "A client that asks again does so on the same connection",
  ...PROGRAMS,
  fn: async () => {
    await using certificates = await makeCertificates();
    await using server = listen(await material(certificates, await certificates.issue("server")));
    const again = `https://localhost:${server.port}/again`;
    const { out } = await curl(server, certificates, "-w", "%{num_connects}\n", again);
    assertEquals(out.match(/^\d+$/gm), ["1", "0"]);
  },
});
