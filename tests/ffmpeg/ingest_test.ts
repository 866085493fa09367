/**
 * Reports over HTTP: routes, refusals, and clients that mean no good.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { Ingest } from "../../exporters/ffmpeg/ingest.ts";
import { LOOPBACK, parseIpRanges } from "../../exporters/ffmpeg/ip_range.ts";
import type { HttpResponse } from "../../lib/http/message.ts";
import { readStandardInput } from "../../exporters/ffmpeg/standard_input.ts";
import { assertQuick } from "../support/assert_quick.ts";
import { createLogger } from "../../lib/log.ts";
import { eventually, type ExporterProcess, startExporter } from "../support/exporter_process.ts";
import { toHttpRequest, toResponse } from "../support/handlers.ts";
import { bytes, progressText, QUIET, TestBoard, valueOf } from "../support/ffmpeg_jobs.ts";

function createIngest(board = new TestBoard()): { board: TestBoard; ingest: Ingest } {
  return { board, ingest: new Ingest({ intake: board.intake, from: parseIpRanges(LOOPBACK), log: QUIET }) };
}

async function send(
  ingest: Ingest,
  path: string,
  { method = "POST", body, from = "127.0.0.1" }: { method?: string; body?: string; from?: string } = {},
): Promise<Response> {
  const request = new Request(`http://x${path}`, { method, ...(body === undefined ? {} : { body }) });
  const response = await ingest.handle(toHttpRequest(request, from));
  assert(response);
  return toResponse(response);
}

Deno.test("Ingest takes POST and PUT on both paths, and leaves other paths alone", async () => {
  const { board, ingest } = createIngest();
  assertEquals(
    (await send(ingest, "/progress?job_id=a", { body: progressText(5, { end: true }) })).status,
    204,
  );
  assertEquals(
    (await send(ingest, "/ingest?job_id=b", { method: "PUT", body: progressText(5, { end: true }) })).status,
    204,
  );
  assertEquals(board.jobs().map(({ id, via, outcome }) => `${id} ${via} ${outcome}`), [
    "a progress ended",
    "b ingest ended",
  ]);
  for (const path of ["/", "/metrics", "/progress/", "/progressx", "/jobs/", "/jobs/a/b/exit"]) {
    assertEquals(ingest.handle(toHttpRequest(new Request(`http://x${path}`))), undefined);
  }
  const refused = await send(ingest, "/progress", { method: "GET" });
  assertEquals([refused.status, refused.headers.get("allow")], [405, "POST, PUT"]);
});

Deno.test("Ingest names jobs that give no id, and gives the names out again", async () => {
  const { board, ingest } = createIngest();
  const open = new TransformStream<Uint8Array, Uint8Array>();
  const pending = ingest.handle(
    toHttpRequest(new Request("http://x/progress", { method: "POST", body: open.readable })),
  );
  await send(ingest, "/progress?job_id=", { body: progressText(5, { end: true }) });
  await send(ingest, "/progress", { body: progressText(5, { end: true }) });
  assertEquals(board.jobs().map(({ id }) => id), ["anonymous-1", "anonymous-2"]);
  await open.writable.close();
  await pending;
});

Deno.test("Ingest holds no more connections open than there may be jobs, though jobs that are over make way", async () => {
  const { ingest } = createIngest(new TestBoard({ maxJobs: 2 }));
  const wanted: boolean[] = [];
  /** Sends a whole report, and does not end the request until `closed`. */
  const hold = (id: string, closed: Promise<boolean>): HttpResponse | Promise<HttpResponse> | undefined =>
    ingest.handle({
      ...toHttpRequest(new Request(`http://x/progress?job_id=${id}`, { method: "POST" })),
      readBody: async (onChunk, isWanted = false) => {
        wanted.push(isWanted);
        await onChunk(bytes(progressText(5, { end: true })));
        return await closed;
      },
    });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const held = ["a", "b", "c"].map((id) => hold(id, promise));
  assertEquals(wanted, [true, true, false]);
  resolve(true);
  await Promise.all(held);
  await hold("d", promise);
  assertEquals(wanted, [true, true, false, true]);
});

Deno.test("Ingest reads what it refuses to the end", async () => {
  const { board, ingest } = createIngest(new TestBoard({ maxJobs: 1 }));
  board.begin("first");
  const cases: readonly [path: string, from: string, status: number, reason: string][] = [
    ["/progress?job_id=a", "192.0.2.1", 403, "address"],
    ["/progress?job_id=first", "::1", 409, "duplicate"],
    ["/progress?job_id=b", "::ffff:127.0.0.1", 503, "max_jobs"],
  ];
  for (const [path, from, status, reason] of cases) {
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller): void {
        if (++pulled > 20) controller.close();
        else controller.enqueue(bytes(progressText(pulled)));
      },
    }, { highWaterMark: 0 });
    const request = new Request(`http://x${path}`, { method: "POST", body });
    const response = await ingest.handle(toHttpRequest(request, from));
    assertEquals([response?.status, pulled], [status, 21], reason);
    assertEquals(board.intake.rejected[reason as "address"], 1);
  }
  assertEquals(board.jobs().length, 1);
  assertEquals(await board.value('ffmpeg_jobs_finished_total{result="rejected"}'), 3);
});

Deno.test("Ingest takes a client on one of the machine's own addresses for this machine", async () => {
  const cases: readonly [client: string, local: string, status: number][] = [
    ["192.0.2.2", "192.0.2.2", 204],
    ["2001:db8::2", "2001:db8::2", 204],
    ["192.0.2.3", "192.0.2.2", 403],
    ["192.0.2.2", "127.0.0.1", 403],
  ];
  for (const [client, local, status] of cases) {
    const { ingest } = createIngest();
    const request = new Request("http://x/progress?job_id=a", { method: "POST" });
    const response = await ingest.handle(toHttpRequest(request, client, local));
    assertEquals(response?.status, status, `${client} to ${local}`);
  }
});

Deno.test("Ingest refuses what a web page sends, whatever host and site it names", async () => {
  const { board, ingest } = createIngest();
  for (
    const headers of [
      { "origin": "https://evil.example" },
      { "origin": "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-origin" },
    ]
  ) {
    for (const path of ["/progress?job_id=a", "/ingest?job_id=a", "/jobs/a/exit?code=1"]) {
      const request = new Request(`http://x${path}`, {
        method: "POST",
        headers: headers as HeadersInit,
        body: "",
      });
      assertEquals((await ingest.handle(toHttpRequest(request)))?.status, 403, path);
    }
  }
  assertEquals([board.intake.rejected.cross_site, board.jobs().length, board.exited.failure], [12, 0, 0]);
});

Deno.test("Ingest answers an exit code that it cannot note with a refusal", async () => {
  const { board, ingest } = createIngest(new TestBoard({ maxJobs: 1 }));
  board.begin("live");
  assertEquals((await send(ingest, "/jobs/other/exit?code=1")).status, 503);
  assertEquals([board.exited.failure, board.intake.rejected.max_jobs], [0, 1]);
});

Deno.test("Ingest takes exit codes from whom it takes reports", async () => {
  const { board, ingest } = createIngest();
  board.send(board.begin("a b"), { final: true });
  assertEquals((await send(ingest, "/jobs/a%20b/exit?code=0")).status, 204);
  assertEquals((await send(ingest, "/jobs/new/exit?code=137")).status, 204);
  assertEquals((await send(ingest, "/jobs/x/exit?code=1", { from: "10.0.0.1" })).status, 403);
  for (
    const path of ["/jobs/x/exit", "/jobs/x/exit?code=", "/jobs/x/exit?code=1.5", "/jobs/%ff/exit?code=1"]
  ) {
    assertEquals((await send(ingest, path)).status, 400, path);
  }
  assertEquals((await send(ingest, "/jobs/x/exit?code=1", { method: "PUT" })).status, 405);
  assertEquals(board.exited, { success: 1, failure: 1 });
});

Deno.test("readStandardInput() follows several encodes one after another", async () => {
  const board = new TestBoard();
  const log =
    "frame=   10 fps=0.0 q=1.0 size=       1kB time=00:00:01.00 bitrate= 1.0kbits/s speed=1x    \r" +
    "frame=   20 fps=0.0 q=1.0 Lsize=      2kB time=00:00:02.00 bitrate= 1.0kbits/s speed=1x    \n";
  await readStandardInput(
    board.intake,
    QUIET,
    ReadableStream.from([bytes(log), bytes(log), bytes("frame=   5 fps=0")]),
  );
  assertEquals(board.totals.frames, 40);
  assertEquals(board.finished, { ended: 2, lost: 0, stalled: 0 });
});

Deno.test("readStandardInput() reports an input that fails, whose job is lost", async () => {
  const board = new TestBoard();
  const lines: string[] = [];
  const broken = new ReadableStream({
    start: (controller) => controller.error(new Error("Input/output error")),
  });
  await readStandardInput(board.intake, createLogger({ write: (line) => lines.push(line) }), broken);
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0] ?? "", "Input/output error");
  assertEquals(board.finished, { ended: 0, lost: 1, stalled: 0 });
});

/** Opens a chunked POST by hand. */
async function openPost(exporter: ExporterProcess, query: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ port: exporter.port });
  await connection.write(
    bytes(`POST /progress?${query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`),
  );
  return connection;
}

async function writeAll(connection: Deno.TcpConn, data: Uint8Array): Promise<void> {
  while (data.length > 0) data = data.subarray(await connection.write(data));
}

/** The longest of several scrapes, in milliseconds. */
async function slowestScrape(exporter: ExporterProcess, count = 20): Promise<number> {
  let slowest = 0;
  for (let round = 0; round < count; round++) {
    const startMs = performance.now();
    await exporter.metrics();
    slowest = Math.max(slowest, performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return slowest;
}

async function residentBytes(exporter: ExporterProcess): Promise<number> {
  return valueOf(await exporter.metrics(), "process_resident_memory_bytes") ?? NaN;
}

Deno.test("the exporter answers while one client is silent and another sends a flood without a line's end", async () => {
  await using exporter = await startExporter("ffmpeg");
  await slowestScrape(exporter);
  using silent = await openPost(exporter, "job_id=silent");
  using unfinished = await Deno.connect({ port: exporter.port });
  await unfinished.write(bytes("POST /progress HTTP/1.1\r\nHo"));
  using flood = await openPost(exporter, "job_id=flood");
  const chunk = new Uint8Array(65_536).fill(120);
  const frame = bytes(`${chunk.length.toString(16)}\r\n`);
  const before = await residentBytes(exporter);
  let isOver = false;
  let sent = 0;
  const sending = (async () => {
    while (!isOver) {
      for (const part of [frame, chunk, bytes("\r\n")]) await writeAll(flood, part);
      sent += chunk.length;
    }
  })();
  // Ten times what the exporter must keep on a quiet machine.
  await assertQuick(() => slowestScrape(exporter, 60), 500).finally(() => isOver = true);
  await sending;
  await eventually(async () => assertLess(await residentBytes(exporter) - before, 40e6));
  assert(sent > 1e6, String(sent));
  const page = await exporter.metrics();
  assertEquals(valueOf(page, "ffmpeg_ingest_open_connections"), 2);
  assertEquals(valueOf(page, "ffmpeg_ingest_parse_errors_total"), 1);
  silent.closeWrite();
});

Deno.test("the exporter stops within a second though posts are open, and loses nobody's page to odd ids", async () => {
  const query = `job_id=${encodeURIComponent('x"} 1\nevil{a="b\\')}&encoder=${
    encodeURIComponent("\u0000\u{1f3ac}\n#")
  }`;
  await assertQuick(async () => {
    await using exporter = await startExporter("ffmpeg");
    using connection = await openPost(exporter, query);
    const page = await eventually(async () => {
      const page = await exporter.metrics();
      assertEquals(valueOf(page, 'ffmpeg_jobs{state="running"}'), 1);
      return page;
    });
    assertStringIncludes(page, 'job_id="x__ 1_evil_a=_b_"');
    assert(!/^evil/m.test(page));
    const startMs = performance.now();
    exporter.kill();
    assertEquals(await exporter.exitCode, 0);
    connection.closeWrite();
    return performance.now() - startMs;
  }, 1000);
});

Deno.test("the last reports of an encode arrive though its connection closes at once", async () => {
  await using exporter = await startExporter("ffmpeg");
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  for (let round = 0; round < 20; round++) {
    using connection = await openPost(exporter, `job_id=job-${round}`);
    // As ffmpeg does it where the kernel holds back small packets: two reports, the end and the close in one.
    const reports = [progressText(25), progressText(50, { end: true })].map(chunk).join("");
    await writeAll(connection, bytes(`${reports}0\r\n\r\n`));
  }
  await eventually(async () => {
    const page = await exporter.metrics();
    assertEquals(valueOf(page, 'ffmpeg_jobs{state="ended"}'), 20);
    assertEquals(valueOf(page, "ffmpeg_frames_total"), 1000);
  });
});

Deno.test("thousands of connections, one after another and cut anywhere, leave no job and no memory behind", async () => {
  await using exporter = await startExporter("ffmpeg", { args: ["--max-jobs=50"] });
  async function burst(count: number): Promise<void> {
    for (let round = 0; round < count; round += 20) {
      await Promise.all(Array.from({ length: 20 }, async (_, index) => {
        using connection = await openPost(exporter, `job_id=c${index}`);
        await connection.write(bytes("5\r\nframe"));
      }));
    }
  }
  await burst(2000);
  await eventually(async () => {
    const page = await exporter.metrics();
    assertEquals(valueOf(page, "ffmpeg_ingest_open_connections"), 0);
    assertEquals(valueOf(page, 'ffmpeg_jobs{state="running"}'), 0);
    assertLess([...Deno.readDirSync(`/proc/${exporter.pid}/fd`)].length, 50);
  });
  // What V8 lets lie about; one kept connection has 30 KB.
  assertLess(await residentBytes(exporter), 250e6);
});
