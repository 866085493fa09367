/** The server on real connections, and clients that mean no good. */
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { MAX_CONNECTIONS_PER_CLIENT } from "../../../lib/http/connections.ts";
import { type HttpHandler, textResponse } from "../../../lib/http/message.ts";
import { MAX_UNREAD_BYTES_PER_CLIENT } from "../../../lib/http/send_budget.ts";
import { eventually } from "../../support/exporter_process.ts";
import { serveHandler, type TestServer } from "../../support/handlers.ts";

const ENCODER = new TextEncoder();
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

const echo: HttpHandler = async ({ method, path, query, readBody }) => {
  let body = "";
  const isWhole = await readBody((chunk) => void (body += new TextDecoder().decode(chunk)));
  return textResponse(`${method} ${path} ${query} ${body.length > 50 ? body.length : body} ${isWhole}\n`);
};

async function connect(server: TestServer, text = ""): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(ENCODER.encode(text));
  return connection;
}

/** Sends texts one by one and reads to the end of the connection. */
async function talk(server: TestServer, ...texts: string[]): Promise<string> {
  using connection = await connect(server);
  const reading = new Response(connection.readable).text().catch(() => "");
  for (const text of texts) {
    await connection.write(ENCODER.encode(text)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return await reading;
}

const CLOSE = "Connection: close\r\n\r\n";

Deno.test("HttpServer answers requests in order, whatever pieces they come in", async () => {
  await using server = serveHandler(echo);
  const requests = [
    "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n",
    `\r\nGET /d HTTP/1.1\r\nHost: x\r\n${CLOSE}`,
  ];
  const answers = ["POST /a b abc true", "POST /c  abcde true", "GET /d   true"];
  for (
    const piecesOf of [(request: string): string[] => [request], (request: string): string[] => [...request]]
  ) {
    using connection = await connect(server);
    let text = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      const buffer = new Uint8Array(1000);
      for (let size = await connection.read(buffer); size !== null; size = await connection.read(buffer)) {
        text += decoder.decode(buffer.subarray(0, size));
      }
    })();
    for (const [index, request] of requests.entries()) {
      for (const piece of piecesOf(request)) {
        await connection.write(ENCODER.encode(piece));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await eventually(() => assertEquals(text.match(/ true$/gm)?.length, index + 1));
    }
    await reading;
    assertEquals(text.match(/^(?:GET|POST) .*$/gm), answers);
  }
});

Deno.test("HttpServer answers the first of requests that are sent ahead, and closes", async () => {
  await using server = serveHandler(echo);
  const answer = await talk(server, GET.repeat(100));
  assertEquals(answer.match(/^HTTP\/1.1 200 OK$/gm)?.length, 1);
  assertStringIncludes(answer, "connection: close\r\n");
});

Deno.test("HttpServer sends pages of any size whole, and no body to HEAD", async () => {
  const body = new Uint8Array(3_000_000).fill(120);
  await using server = serveHandler(() => ({ status: 200, headers: {}, body }));
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 4 }, () => fetch(server.url)));
    for (const answer of answers) assertEquals((await answer.arrayBuffer()).byteLength, body.length);
  }
  const head = await talk(server, `HEAD / HTTP/1.1\r\nHost: x\r\n${CLOSE}`);
  assertStringIncludes(head, "content-length: 3000000\r\n");
  assertEquals(head.endsWith("\r\n\r\n"), true);
});

Deno.test("HttpServer asks for a body that the client holds back, and answers without one that nobody reads", async () => {
  await using server = serveHandler((request) =>
    request.path === "/read" ? echo(request) : textResponse("no\n", 405)
  );
  const head = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`;
  using connection = await connect(server, head("/read"));
  const buffer = new Uint8Array(1000);
  const first = await connection.read(buffer) ?? 0;
  assertEquals(new TextDecoder().decode(buffer.subarray(0, first)), "HTTP/1.1 100 Continue\r\n\r\n");
  await connection.write(ENCODER.encode("abc"));
  const second = await connection.read(buffer) ?? 0;
  assertStringIncludes(new TextDecoder().decode(buffer.subarray(0, second)), "POST /read  abc true");
  const unread = await talk(server, head("/"));
  assertStringIncludes(unread, "HTTP/1.1 405 ");
  assertStringIncludes(unread, "connection: close");
});

for (
  const [what, text, status] of [
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 505],
    ["a head of 20 KB", `GET / HTTP/1.1\r\nHost: x\r\nA: ${"b".repeat(20_000)}\r\n\r\n`, 431],
    ["a head of 1,000 lines", `GET / HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(1000)}\r\n`, 431],
    ["garbage", "\x16\x03\x01\x02\0\x01\n\n", 400],
    ["lines without carriage returns", "GET / HTTP/1.1\nHost: x\n\n", 400],
  ] as const
) {
  Deno.test(`HttpServer refuses ${what}, and closes`, async () => {
    await using server = serveHandler(echo);
    assertStringIncludes(await talk(server, text), `HTTP/1.1 ${status} `);
  });
}

for (
  const [what, body] of [
    ["a size that is none", "x\r\nabc\r\n0\r\n\r\n"],
    ["a size with a sign", "+3\r\nabc\r\n0\r\n\r\n"],
    ["a chunk that is longer", "2\r\nabc\r\n0\r\n\r\n"],
    ["an extension of 1 KB", `3;${"x".repeat(1024)}\r\nabc\r\n0\r\n\r\n`],
    ["endless trailers", `3\r\nabc\r\n0\r\n${"A: b\r\n".repeat(1000)}\r\n`],
    ["a bare line feed", "3\nabc\r\n0\r\n\r\n"],
  ] as const
) {
  Deno.test(`HttpServer: a chunked body with ${what} is not whole, and nothing behind it is a request`, async () => {
    await using server = serveHandler(echo);
    const text =
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n`;
    const answer = await talk(server, text);
    assertStringIncludes(answer, " false\n");
    assertEquals(answer.includes("hidden"), false);
  });
}

Deno.test("HttpServer reads what a client sent before it closed, to the last byte", async () => {
  const bodies: Promise<string>[] = [];
  await using server = serveHandler(async ({ readBody }) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    bodies.push(promise);
    let text = "";
    const isWhole = await readBody((chunk) => void (text += new TextDecoder().decode(chunk)), true);
    resolve(`${text} ${isWhole}`);
    return textResponse("ok");
  });
  for (let index = 0; index < 20; index++) {
    const connection = await connect(
      server,
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n4\r\nlast\r\n",
    );
    if (index % 2 === 0) await connection.write(ENCODER.encode("0\r\n\r\n"));
    connection.close();
  }
  await eventually(() => assertEquals(bodies.length, 20));
  assertEquals(new Set(await Promise.all(bodies)), new Set(["firstlast true", "firstlast false"]));
});

Deno.test("HttpServer: clients that reset their connections keep nobody waiting", async () => {
  await using server = serveHandler(echo);
  const reset = async (): Promise<void> => {
    // Closed with unread data, the kernel resets it.
    const connection = await connect(server, GET);
    await eventually(() => connection.read(new Uint8Array(1)));
    connection.close();
  };
  await Promise.all(Array.from({ length: 300 }, reset));
  const startedMs = performance.now();
  assertEquals((await fetch(server.url)).status, 200);
  assertLess(performance.now() - startedMs, 2000);
  assertEquals(server.server.state.acceptFailures, 0);
});

Deno.test("HttpServer makes room: the silent go first, then the longest idle, never who was heard last", async () => {
  await using server = serveHandler(echo);
  const ask = async (connection: Deno.TcpConn): Promise<boolean> => {
    try {
      await connection.write(ENCODER.encode(GET));
      return (await connection.read(new Uint8Array(1000)) ?? 0) > 0;
    } catch {
      return false;
    }
  };
  using known = await connect(server);
  assert(await ask(known));
  const silent: Deno.TcpConn[] = [];
  for (let index = 0; index < 3 * MAX_CONNECTIONS_PER_CLIENT; index++) silent.push(await connect(server));
  await eventually(() => assertGreater(server.server.state.evicted, 2 * MAX_CONNECTIONS_PER_CLIENT));
  assertEquals([await ask(known), server.server.state.isCrowded], [true, true]);
  using newcomer = await connect(server);
  assert(await ask(newcomer));
  for (const connection of silent) connection.close();
});

Deno.test("HttpServer: who does not read holds one answer a connection, and a bounded number of bytes", async () => {
  const body = new Uint8Array(4_000_000).fill(120);
  let answered = 0;
  await using server = serveHandler(() => {
    answered++;
    return { status: 200, headers: {}, body };
  });
  const idle: Deno.TcpConn[] = [];
  for (let index = 0; index < 40; index++) idle.push(await connect(server, GET.repeat(100)));
  await eventually(() => assertEquals(answered, 40));
  const most = Math.ceil(MAX_UNREAD_BYTES_PER_CLIENT / body.length);
  const refused = await Promise.all(
    idle.slice(most).map(async (connection) => {
      const buffer = new Uint8Array(20);
      await connection.read(buffer);
      return new TextDecoder().decode(buffer);
    }),
  );
  for (const answer of refused) assertStringIncludes(answer, "HTTP/1.1 503 ");
  for (const connection of idle) connection.close();
});

Deno.test("HttpServer reports what the reader of a body throws as a fault of its own, and closes the connection", async () => {
  const errors: unknown[] = [];
  await using server = serveHandler(async ({ readBody }) => {
    await readBody(() => {
      throw new TypeError("A fault");
    });
    return textResponse("never\n");
  }, {
    onError: (error) => {
      errors.push(error);
      return textResponse("Internal error\n", 500);
    },
  });
  const response = await fetch(server.url, { method: "POST", body: "x" });
  assertEquals([response.status, response.headers.get("connection")], [500, "close"]);
  await response.body?.cancel();
  assertEquals(errors.map(String), ["TypeError: A fault"]);
});
