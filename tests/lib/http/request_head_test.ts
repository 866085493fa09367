import { assertEquals, assertThrows } from "@std/assert";
import { BadRequest, MAX_HEADERS, parseHead } from "../../../lib/http/request_head.ts";

const HOST = "Host: x:9510";

function head(requestLine: string, ...lines: string[]): ReturnType<typeof parseHead> {
  return parseHead([requestLine, ...lines].join("\r\n"));
}

Deno.test("parseHead() reads method, path, query and headers as they stand", () => {
  const { headers, ...rest } = head(
    "POST /progress?job_id=a%20b HTTP/1.1",
    HOST,
    "Transfer-Encoding: Chunked",
    "Accept:\t*/*, a/b ",
    "accept: c/d",
    "Expect: 100-Continue",
  );
  assertEquals(rest, {
    method: "POST",
    path: "/progress",
    query: "job_id=a%20b",
    bodyLength: "chunked",
    keepAlive: true,
    expectsContinue: true,
  });
  assertEquals([headers.get("accept"), headers.get("host")], ["*/*, a/b, c/d", "x:9510"]);
});

Deno.test("parseHead() makes the path of the request line alone", () => {
  for (
    const [target, host, path] of [
      ["/metrics", "x/health?", undefined],
      ["/metrics", "", "/metrics"],
      ["http://other:1/metrics?a=/b", "x", "/metrics"],
      ["//metrics", "x", "//metrics"],
      ["/metrics/../health", "x", "/metrics/../health"],
    ] as const
  ) {
    if (path === undefined) assertThrows(() => head(`GET ${target} HTTP/1.1`, `Host: ${host}`), BadRequest);
    else assertEquals(head(`GET ${target} HTTP/1.1`, `Host: ${host}`).path, path);
  }
});

Deno.test("parseHead() keeps the connection as the client asks", () => {
  assertEquals(head("GET / HTTP/1.1", HOST, "Connection: keep-alive").keepAlive, true);
  assertEquals(head("GET / HTTP/1.1", HOST, "Connection: TE, Close").keepAlive, false);
  assertEquals(head("GET / HTTP/1.0").keepAlive, false);
});

const REFUSED: readonly (readonly [what: string, status: number, ...lines: string[]])[] = [
  ["no request line", 400, ""],
  ["two spaces", 400, "GET  / HTTP/1.1", HOST],
  ["a version of one digit", 400, "GET / HTTP/1", HOST],
  ["HTTP/2's preface", 505, "PRI * HTTP/2.0"],
  ["HTTP/0.9", 505, "GET / HTTP/0.9", HOST],
  ["an authority", 400, "CONNECT x:80 HTTP/1.1", HOST],
  ["an asterisk", 400, "OPTIONS * HTTP/1.1", HOST],
  ["a fragment", 400, "GET /#a HTTP/1.1", HOST],
  ["no Host", 400, "GET / HTTP/1.1"],
  ["two Hosts", 400, "GET / HTTP/1.1", HOST, HOST],
  ["a Host with a path", 400, "GET / HTTP/1.1", "Host: x/health?"],
  ["a name with a space before the colon", 400, "GET / HTTP/1.1", "Host : x"],
  ["a folded line", 400, "GET / HTTP/1.1", HOST, " folded: 1"],
  ["a line without a colon", 400, "GET / HTTP/1.1", HOST, "a"],
  ["a bare line feed", 400, "GET / HTTP/1.1", `${HOST}\nA: b`],
  ["a bare carriage return", 400, "GET / HTTP/1.1", `${HOST}\rA: b`],
  ["a NUL", 400, "GET / HTTP/1.1", HOST, "A: \0"],
  ["two lengths", 400, "POST / HTTP/1.1", HOST, "Content-Length: 5", "Content-Length: 5"],
  ["a length with a sign", 400, "POST / HTTP/1.1", HOST, "Content-Length: +5"],
  ["a list of lengths", 400, "POST / HTTP/1.1", HOST, "Content-Length: 5, 5"],
  ["a length without end", 400, "POST / HTTP/1.1", HOST, `Content-Length: ${"9".repeat(20)}`],
  [
    "a length and a coding",
    400,
    "POST / HTTP/1.1",
    HOST,
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
  ],
  ["two codings", 400, "POST / HTTP/1.1", HOST, "Transfer-Encoding: gzip, chunked"],
  ["another coding", 400, "POST / HTTP/1.1", HOST, "Transfer-Encoding: xchunked"],
  ["a coding of HTTP/1.0", 400, "POST / HTTP/1.0", HOST, "Transfer-Encoding: chunked"],
  ["another expectation", 417, "POST / HTTP/1.1", HOST, "Expect: 200-ok"],
  [
    "too many headers",
    431,
    "GET / HTTP/1.1",
    HOST,
    ...Array.from({ length: MAX_HEADERS }, (_, index) => `a${index}: b`),
  ],
];
for (const [what, status, ...lines] of REFUSED) {
  Deno.test(`parseHead() refuses ${what}`, () => {
    const error = assertThrows(() => parseHead(lines.join("\r\n")), BadRequest);
    assertEquals((error as BadRequest).status, status);
  });
}
