/**
 * Random reports of random jobs, over HTTP as ffmpeg sends them: whatever comes, in whatever pieces, the pages parse,
 * totals never fall and the number of jobs stays bounded.
 */
import { assert, assertEquals } from "@std/assert";
import { JobCollector } from "../../exporters/ffmpeg/collector.ts";
import { Ingest } from "../../exporters/ffmpeg/ingest.ts";
import { parseIpRanges } from "../../exporters/ffmpeg/ip_range.ts";
import type { ProgressBlock } from "../../exporters/ffmpeg/progress_block.ts";
import { ProgressParser } from "../../exporters/ffmpeg/progress_parser.ts";
import { CONTENT_TYPE, Exposition } from "../../lib/exposition.ts";
import { type Family, parseExposition } from "../support/exposition_parser.ts";
import { QUIET, TestBoard } from "../support/ffmpeg_jobs.ts";
import { toHttpRequest } from "../support/handlers.ts";
import { fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";

const KEYS = [
  "frame",
  "fps",
  "stream_0_0_q",
  "stream_0_1_q",
  "stream_00_1_q",
  "stream_9999_9999_q",
  "bitrate",
  "total_size",
  "out_time_us",
  "out_time_ms",
  "out_time",
  "dup_frames",
  "drop_frames",
  "speed",
  "__proto__",
  "unknown",
] as const;
const VALUES = [
  "N/A",
  "0",
  "-1",
  "-0",
  "1e300",
  "1e-300",
  "1e-300x",
  "1e3",
  "9007199254740993",
  "-9223372036854775807",
  "00:00:01.500000",
  "-00:00:00.040000",
  "99999999999:59:59",
  "   0x",
  "1.01x",
  "-1x",
  " 127.4kbits/s",
  "-5kbits/s",
  "nan",
  "inf",
  "",
  "=",
] as const;

/** A job's reports: mostly an encode that goes on, with some nonsense in between. */
function randomReports(random: Random): string {
  let frames = random.int(0, 1000);
  let text = random.chance(0.1) ? random.text(50) : "";
  for (let blocks = random.int(1, 8); blocks > 0; blocks--) {
    frames += random.chance(0.05) ? -random.int(0, 2000) : random.int(0, 100);
    const micros = Math.round(frames * 40_000 * random.pick([1, 1, 1, 1, -1, 1e6]));
    const lines = [`frame=${frames}`, `out_time_us=${micros}`, `total_size=${frames * 1000}`, "speed=1.2x"];
    for (let extra = random.int(0, 3); extra > 0; extra--) {
      lines.push(`${random.pick(KEYS)}=${random.pick(VALUES)}`);
    }
    if (random.chance(0.1)) lines.push(logLine(random, frames));
    lines.push(`progress=${random.pick(["continue", "continue", "continue", "end", "x"])}`);
    text += lines.join(random.chance(0.1) ? "\r" : "\n") + "\n";
  }
  return random.chance(0.3) ? random.mutate(text) : text;
}

function logLine(random: Random, frames: number): string {
  const mark = random.pick(["", "L"]);
  return `frame=${frames} fps=0.0 q=${random.pick(VALUES)} ${mark}size=${
    random.pick(["14kB", "N/A", "14KiB", "x"])
  } ` +
    `time=${random.pick(VALUES)} bitrate=${random.pick(VALUES)} speed=${
      random.pick(VALUES)
    } elapsed=0:00:01.00`;
}

/** The bytes of a text in random pieces. */
function pieces(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const result: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + random.int(1, random.chance(0.5) ? 7 : 400));
    result.push(bytes.subarray(at, end));
    at = end;
  }
  return result;
}

function parse(chunks: readonly Uint8Array[]): { blocks: ProgressBlock[]; errors: number } {
  const blocks: ProgressBlock[] = [];
  let errors = 0;
  const parser = new ProgressParser({ onBlock: (block) => blocks.push(block), onError: () => errors++ });
  for (const chunk of chunks) parser.push(chunk);
  parser.end();
  return { blocks, errors };
}

Deno.test("ProgressParser reads the same from any pieces, and finite numbers only", async () => {
  await fuzz("progress parser", (random) => {
    for (let left = 50; left > 0; left--) {
      const text = random.chance(0.9) ? randomReports(random) : "";
      const bytes = text ? new TextEncoder().encode(text) : random.bytes(random.int(0, 3000));
      const whole = parse([bytes]);
      assertEquals(parse(pieces(random, bytes)), whole);
      for (const { final: _, quantizers, ...values } of whole.blocks) {
        for (const value of Object.values(values)) assert(value === undefined || Number.isFinite(value));
        for (const { quantizer } of quantizers) assert(Number.isFinite(quantizer));
      }
    }
  });
});

const QUERIES = [
  "width=1920&height=1080",
  "duration=100",
  "target_speed=2",
  "width=-1&height=x&duration=1e999",
  "codec=%22%5C%0A&preset=%ff&worker=😀",
  "job_id=a",
  "",
] as const;

function randomUrl(random: Random): string {
  const path = random.pick([
    "/progress",
    "/progress",
    "/progress",
    "/ingest",
    "/jobs/a/exit",
    "/jobs/%ff/exit",
    "/x",
  ]);
  const id = random.chance(0.9)
    ? `job-${random.int(0, 12)}`
    : encodeURIComponent(random.text(random.int(0, 200)));
  const query = `job_id=${id}&code=${random.pick(["0", "1", "-9", "x", "99999999999"])}&${
    random.pick(QUERIES)
  }`;
  return `http://localhost${path}?${random.chance(0.1) ? random.mutate(query) : query}`;
}

/** Sends reports as a client does that may go away at any time. */
async function send(random: Random, ingest: Ingest, board: TestBoard): Promise<void> {
  const chunks = pieces(random, new TextEncoder().encode(randomReports(random)));
  const breaks = random.chance(0.2);
  const body: ReadableStream<Uint8Array<ArrayBuffer>> = new ReadableStream({
    type: "bytes",
    pull(controller: ReadableByteStreamController): void {
      const chunk = chunks.shift();
      if (random.chance(0.1)) board.pass(random.pick([500, 5000, 15_000]));
      if (chunk) controller.enqueue(Uint8Array.from(chunk));
      else if (breaks) controller.error(new TypeError("connection reset"));
      else {
        controller.close();
        controller.byobRequest?.respond(0);
      }
    },
  });
  const method = random.pick(["POST", "POST", "POST", "PUT", "GET"]);
  const request = new Request(randomUrl(random), method === "GET" ? { method } : { method, body });
  const hostname = random.chance(0.95) ? "127.0.0.1" : "192.0.2.1";
  const response = await ingest.handle(toHttpRequest(request, hostname));
  assert(!response || [204, 400, 403, 405, 409, 503].includes(response.status), String(response?.status));
}

/** What must never fall: the worker's own totals and the histogram. */
function totals(families: Map<string, Family>): Map<string, number> {
  const own = [...families.values()].filter(({ name, type }) =>
    type !== "gauge" && !name.startsWith("ffmpeg_job_")
  );
  return new Map(
    own.flatMap(({ samples }) => samples).map((
      { name, labels, value },
    ) => [JSON.stringify([name, labels]), value]),
  );
}

Deno.test("Random reports give pages that parse, totals that never fall and a bounded number of jobs", async () => {
  await fuzz("ingest", async (random) => {
    const board = new TestBoard({ maxJobs: 10, jobTtlMs: 20_000 });
    const ingest = new Ingest({ intake: board.intake, from: parseIpRanges("127.0.0.0/8"), log: QUIET });
    const collector = new JobCollector({
      intake: board.intake,
      openConnections: () => ingest.openConnections,
    });
    let before = new Map<string, number>();
    for (let step = 0; step < 20; step++) {
      await Promise.all(random.list(random.int(1, 6), () => send(random, ingest, board)));
      board.pass(random.pick([0, 500, 1000, 30_000, 4_000_000]));
      const { snapshot } = collector.collect();
      const page = await new Exposition().render([snapshot], "openmetrics");
      parseExposition(page, CONTENT_TYPE.openmetrics);
      const families = parseExposition(await new Exposition().render([snapshot], "text"), CONTENT_TYPE.text);
      const after = totals(families);
      for (const [series, value] of before) {
        assert((after.get(series) ?? NaN) >= value, `${series} fell from ${value} to ${after.get(series)}`);
      }
      before = after;
      assert((families.get("ffmpeg_job_info")?.samples.length ?? 0) <= 10);
      for (const { name, samples } of families.values()) {
        for (const { value } of samples) assert(Number.isFinite(value), `${name} is ${value}`);
      }
    }
    assertEquals(ingest.openConnections, 0);
  });
});
