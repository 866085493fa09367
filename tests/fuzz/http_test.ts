/**
 * Random requests and raw garbage against a real exporter, over HTTP and over TLS with passwords: it stays up, answers
 * well-formed pages, and holds on to nothing.
 */
import { assert, assertEquals } from "@std/assert";
import bcrypt from "bcryptjs";
import { makeCertificates } from "../support/certificates.ts";
import { eventually, startExporter, testPermissions } from "../support/exporter_process.ts";
import { parseExposition } from "../support/exposition_parser.ts";
import { fuzz } from "../support/fuzz.ts";
import { needs } from "../support/programs.ts";
import type { Random } from "../support/random.ts";

const PATHS = [
  "/",
  "/metrics",
  "/metrics?a=b#c",
  "/health",
  "/-/healthy",
  "/-/ready",
  "/page/page.js",
  "/page.css",
  "/favicon.ico",
  "/__proto__",
  "//",
  "/%00",
  "/%",
  "/progress/x",
  "*",
  "http://example.com/metrics",
] as const;
const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "CONNECT",
  "get",
  "PRI",
] as const;
const HEADERS = [
  "Accept: application/openmetrics-text;version=1.0.0",
  "Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
  "Accept: ;;;q=nope,,,",
  "Accept-Encoding: gzip",
  "Accept-Encoding: identity;q=0, *;q=0",
  "X-Prometheus-Scrape-Timeout-Seconds: 0.001",
  "X-Prometheus-Scrape-Timeout-Seconds: -Infinity",
  "X-Prometheus-Scrape-Timeout-Seconds: 1e999",
  "Connection: close",
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13",
  "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
  "Expect: 100-continue",
  "Content-Length: 5",
  "Content-Length: 99999999999999999999",
  "Content-Length: -1",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Range: bytes=0-1",
  "If-None-Match: *",
  "Host: [::1",
  "Authorization: Basic YWxpY2U6d3Jvbmc=",
  "Authorization: Basic ====",
  "Cookie: a=b",
] as const;

function randomRequest(random: Random): string {
  const method = random.chance(0.6) ? "GET" : random.pick([...METHODS, random.text(3)]);
  const path = random.chance(0.9) ? random.pick(PATHS) : `/${random.text(random.int(0, 3000))}`;
  const lines = [`${method} ${path} HTTP/${random.pick(["1.1", "1.1", "1.1", "1.0", "2", "0.9", "9.99"])}`];
  if (random.chance(0.9)) lines.push("Host: localhost");
  for (let left = random.int(0, 4); left > 0; left--) {
    lines.push(
      random.chance(0.9) ? random.pick(HEADERS) : `${random.text(5)}: ${random.text(random.int(0, 20_000))}`,
    );
  }
  const body = random.chance(0.3) ? random.text(random.int(0, 200)) : "";
  const whole = `${lines.join("\r\n")}\r\n\r\n${body}`;
  return random.chance(0.3) ? random.mutate(whole) : whole;
}

function randomBytes(random: Random): Uint8Array<ArrayBuffer> {
  if (random.chance(0.2)) return random.bytes(random.int(1, 5000));
  // As Latin-1, so that the bytes above 127 are no UTF-8.
  const text = random.list(random.int(1, 3), () => randomRequest(random)).join("");
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

type Connect = () => Promise<Deno.Conn>;

/** Sends garbage as a hasty, slow or rude client and returns what comes back within a moment. */
async function sendGarbage(random: Random, connect: Connect): Promise<string> {
  const connection = await connect();
  const chunks: Uint8Array[] = [];
  const bytes = randomBytes(random);
  const at = random.chance(0.3) ? random.int(0, bytes.length) : bytes.length;
  const rude = random.chance(0.2);
  try {
    const reading = (async () => {
      const buffer = new Uint8Array(65_536);
      for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
        chunks.push(buffer.slice(0, read));
      }
    })().catch(() => {});
    await connection.write(bytes.subarray(0, at));
    if (!rude) await connection.write(bytes.subarray(at));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, rude ? 0 : random.int(5, 50));
    await Promise.race([reading, promise]);
    clearTimeout(timer);
  } catch (error) {
    // The exporter may close while this still writes.
    assert(error instanceof Error, String(error));
  } finally {
    connection.close();
  }
  return new TextDecoder("latin1").decode(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

/** What `get` answers must be what it is without any garbage. */
async function checkService(
  random: Random,
  get: (path: string, accept: string) => Promise<Response>,
): Promise<void> {
  const accept = random.pick(["*/*", "application/openmetrics-text;version=1.0.0"]);
  const page = await get("/metrics", accept);
  assertEquals(page.status, 200);
  const families = parseExposition(await page.text(), page.headers.get("content-type") ?? "");
  assert(families.has("exporter_build_info"));
  const resident = families.get("process_resident_memory_bytes")?.samples[0]?.value ?? 0;
  // A flood of TLS handshakes leaves some 200 MB that V8 is slow to collect, and no more however long it goes on.
  assert(resident < 400e6, `resident memory is ${resident}`);
  const health = await get("/health", "*/*");
  assertEquals((await health.json()).exporter, "cpu");
}

async function fuzzService(
  name: string,
  pid: number,
  connect: Connect,
  get: (path: string, accept: string) => Promise<Response>,
): Promise<void> {
  const before = descriptors(pid);
  await fuzz(name, async (random) => {
    const answers = await Promise.all(random.list(20, () => sendGarbage(random, connect)));
    for (const answer of answers) {
      // What is no TLS gets an alert, which begins with 15 03.
      assert(
        answer === "" || answer.startsWith("\x15\x03") || /^HTTP\/1\.[01] (?:[1-5]\d\d) /.test(answer),
        `answers ${answer.slice(0, 200)}`,
      );
      assert(!/^HTTP\/1\.[01] 5(?!03|05)/.test(answer), `fails with ${answer.slice(0, 200)}`);
    }
    await checkService(random, get);
  });
  await eventually(() =>
    assert(descriptors(pid) <= before + 5, `descriptors: ${before}, then ${descriptors(pid)}`)
  );
}

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

Deno.test("HTTP: random requests and garbage leave the exporter as it was", async () => {
  await using exporter = await startExporter("cpu");
  await fuzzService(
    "http",
    exporter.pid,
    () => Deno.connect({ hostname: "127.0.0.1", port: exporter.port }),
    (path, accept) => fetch(`${exporter.url}${path}`, { headers: { accept } }),
  );
  assert(!/level=error/.test(exporter.stderr()), exporter.stderr());
});

Deno.test({
  name: "HTTPS with passwords: random requests, garbage and guesses leave the exporter as it was",
  ...needs("openssl"),
  fn: async () => {
    await using certificates = await makeCertificates();
    const { cert, key } = await certificates.issue("server");
    const config = `${certificates.folder}/web.yml`;
    await Deno.writeTextFile(
      config,
      `tls_server_config: {cert_file: server.pem, key_file: server.key}
basic_auth_users: {alice: "${bcrypt.hashSync("secret", 5)}"}`,
    );
    await using exporter = await startExporter("cpu", {
      args: [`--web.config.file=${config}`],
      permissions: testPermissions("cpu").map((flag) =>
        flag.startsWith("--allow-read=") ? `${flag},${config},${cert},${key}` : flag
      ),
    });
    const caCerts = [await Deno.readTextFile(certificates.ca)];
    using client = Deno.createHttpClient({ caCerts });
    const target = { hostname: "localhost", port: exporter.port };
    let plain = 0;
    await fuzzService(
      "https",
      exporter.pid,
      // Now and then garbage in place of a handshake.
      () => plain++ % 8 === 0 ? Deno.connect(target) : Deno.connectTls({ ...target, caCerts }),
      (path, accept) =>
        fetch(`https://localhost:${exporter.port}${path}`, {
          client,
          headers: { accept, authorization: `Basic ${btoa("alice:secret")}` },
        }),
    );
    assert(!/level=error/.test(exporter.stderr()), exporter.stderr());
  },
});
