/**
 * The FFmpeg exporter: reading reports, a thousand jobs by either way, scrapes against the number of jobs, ten
 * thousand short jobs, and what other clients notice of those who mean no good.
 *
 * @module
 */
import { ProgressParser } from "../exporters/ffmpeg/progress_parser.ts";
import { exporterCommand } from "../scripts/start.ts";
import { block, openFiles, openPosts, report, type Sink } from "./ffmpeg_clients.ts";
import { idleProcesses, otherProcesses, withProc } from "./ffmpeg_processes.ts";
import { NaiveParser } from "./ffmpeg_naive_parser.ts";
import {
  cpuSeconds,
  type Findings,
  median,
  memory,
  type Row,
  startTarget,
  stopTarget,
  type Target,
} from "./harness.ts";

const PORT = 9536;
const ENCODER = new TextEncoder();
const LINES_PER_BLOCK = block(0).trim().split("\n").length;
const JOBS = 1000;
/** Multiples of what is sent at once. */
const GIGABYTE = 2 ** 30;
const WARM_UP_BYTES = 2 ** 27;

/** Runs the benchmark. */
export async function bench(): Promise<Findings> {
  const rows: Record<string, Row> = {
    ...compareParsers(),
    "1000 jobs by HTTP": await withExporter(({ target }) => loadByHttp(target, JOBS)),
    "1000 jobs by file": await withExporter(({ target, folder }) => loadByFile(target, folder)),
    "1000 jobs by file, 1000 processes": await withProcesses(({ target, folder }) =>
      loadByFile(target, folder)
    ),
    "10000 other processes": await withOthers(10_000),
  };
  for (const jobs of [1, 10, 100, 300, 1000, 2000]) {
    rows[`scrape, ${jobs} jobs`] = await withExporter(({ target }) => scrapeCost(target, jobs));
  }
  rows["10000 short jobs"] = await withExporter(({ target }) => shortJobs(target), ["--job-ttl=1s"]);
  rows["10000 connections in a minute"] = await withExporter(({ target }) => manyConnections(target));
  rows["a flood without a line's end"] = await withExporter(({ target }) => flood(target));
  return {
    versions: { deno: Deno.version.deno, v8: Deno.version.v8 },
    rows,
    notes: [
      "Parsers: blocks as ffmpeg writes them, one at a time, in one thread; the naive one has a regular expression per field.",
      "Jobs report twice a second. Memory is above that of the same exporter after a hundred scrapes without jobs, before it is scraped with them.",
      "Scrapes are uncompressed, on one connection; all jobs of the table are live.",
      "Short jobs: 10,000 posts of two reports, 50 at a time, after as many to warm up; memory and series before, and three seconds after.",
    ],
  };
}

function compareParsers(): Record<string, Row> {
  const blocks = Array.from({ length: 500 }, (_, index) => ENCODER.encode(block(index * 12)));
  const run = (push: (chunk: Uint8Array) => void): Row => {
    const rounds: number[] = [];
    for (let round = 0; round < 12; round++) {
      const startMs = performance.now();
      for (let repeat = 0; repeat < 100; repeat++) for (const chunk of blocks) push(chunk);
      rounds.push((performance.now() - startMs) * 1000 / (100 * blocks.length));
    }
    const us = median(rounds.slice(2));
    return { us_per_block: us, lines_per_second: LINES_PER_BLOCK * 1e6 / us, cpu_us_per_job_second: us * 2 };
  };
  const parser = new ProgressParser({ onBlock: () => {}, onError: () => {} });
  const naive = new NaiveParser(() => {});
  return { "parser": run((chunk) => parser.push(chunk)), "naive parser": run((chunk) => naive.push(chunk)) };
}

/** The exporter beside as many processes as there are jobs, which it sees in the kernel's own table. */
async function withProcesses(measure: Parameters<typeof withExporter>[0]): Promise<Row> {
  const folder = await Deno.makeTempDir({ prefix: "ffmpeg-bench-" });
  const tree = `${folder}/host-proc`;
  await Deno.mkdir(tree);
  try {
    await using _processes = await idleProcesses(folder, JOBS);
    return await withExporter(
      measure,
      [`--processes=${tree}`],
      (command, args) => withProc(tree, command, args),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What looking at processes of other names costs. */
async function withOthers(count: number): Promise<Row> {
  const tree = await Deno.makeTempDir({ prefix: "ffmpeg-bench-" });
  otherProcesses(tree, count);
  try {
    return await withExporter(async ({ target: { child: { pid } } }) => {
      const before = cpuSeconds(pid);
      const startMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      return { cpu_percent_of_a_core: 100_000 * (cpuSeconds(pid) - before) / (performance.now() - startMs) };
    }, [`--processes=${tree}`]);
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

async function withExporter(
  measure: (running: { target: Target; folder: string }) => Promise<Row>,
  args: readonly string[] = [],
  wrap = (command: string, args: readonly string[]): [string, readonly string[]] => [command, args],
): Promise<Row> {
  const folder = await Deno.makeTempDir({ prefix: "ffmpeg-bench-" });
  const program = exporterCommand("ffmpeg", [`--port=${PORT}`, `--progress-dir=${folder}`, ...args]);
  const [command, programArgs] = wrap(program.command, program.args);
  const target = await startTarget({
    name: program.name,
    command,
    args: programArgs,
    url: `http://127.0.0.1:${PORT}/metrics`,
  });
  try {
    for (let index = 0; index < 100; index++) await scrape(target);
    return await measure({ target, folder });
  } finally {
    await stopTarget(target);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Takes a page and returns it with the time it took, in milliseconds. */
async function scrape({ url }: Target): Promise<{ page: string; ms: number }> {
  const startMs = performance.now();
  const response = await fetch(url, { headers: { "accept-encoding": "identity" } });
  const page = await response.text();
  return { page, ms: performance.now() - startMs };
}

async function load({ child: { pid } }: Target, open: () => Sink | Promise<Sink>): Promise<Row> {
  const idle = memory(pid);
  await using sink = await open();
  const frame = await report(sink, 5);
  const cpuBefore = cpuSeconds(pid);
  const startMs = performance.now();
  await report(sink, 15, frame);
  const seconds = (performance.now() - startMs) / 1000;
  const used = cpuSeconds(pid) - cpuBefore;
  const busy = memory(pid);
  return {
    cpu_percent_of_a_core: 100 * used / seconds,
    cpu_us_per_job_second: used * 1e6 / (seconds * JOBS),
    resident_above_idle_mb: (busy.resident_mb ?? NaN) - (idle.resident_mb ?? NaN),
    anonymous_above_idle_mb: (busy.anonymous_mb ?? NaN) - (idle.anonymous_mb ?? NaN),
  };
}

async function loadByHttp(target: Target, jobs: number): Promise<Row> {
  // An exporter that has served a job before.
  await reportOnce(await openPosts(PORT, 1, { prefix: "warm" }));
  return await load(target, () => openPosts(PORT, jobs));
}

async function loadByFile(target: Target, folder: string): Promise<Row> {
  return await load(target, () => openFiles(folder, JOBS));
}

async function reportOnce(sink: Sink): Promise<void> {
  await report(sink, 2);
  await sink.send(100, true);
  await sink[Symbol.asyncDispose]();
}

async function scrapeCost(target: Target, jobs: number): Promise<Row> {
  await using sink = await openPosts(PORT, jobs);
  let frame = await report(sink, 2);
  const times: number[] = [];
  let bytes = 0;
  for (let round = 0; round < 15; round++) {
    frame = await report(sink, 0.5, frame);
    const { page, ms } = await scrape(target);
    times.push(ms);
    bytes = page.length;
  }
  return {
    scrape_first_ms: times[0] ?? NaN,
    scrape_p50_ms: median(times),
    scrape_max_ms: Math.max(...times.slice(1)),
    page_bytes: bytes,
  };
}

async function shortJobs(target: Target): Promise<Row> {
  const measure = async (): Promise<{ series: number; megabytes: number }> => {
    const { page } = await scrape(target);
    return {
      series: page.split("\n").filter((line) => line && !line.startsWith("#")).length,
      megabytes: memory(target.child.pid).resident_mb ?? NaN,
    };
  };
  const run = async (jobs: number, prefix: string): Promise<void> => {
    for (let first = 0; first < jobs; first += 50) {
      await using sink = await openPosts(PORT, 50, { prefix: `${prefix}-${first}` });
      await sink.send(12);
      await sink.send(24, true);
    }
  };
  await run(10_000, "warm");
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const before = await measure();
  await run(10_000, "short");
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const after = await measure();
  return {
    series_before: before.series,
    series_after: after.series,
    resident_before_mb: before.megabytes,
    resident_after_mb: after.megabytes,
  };
}

/** Scrapes every 100 ms until told to stop, and returns the times. */
function watch(target: Target): { stop(): Promise<Row> } {
  const times: number[] = [];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      times.push((await scrape(target)).ms);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    async stop(): Promise<Row> {
      isOver = true;
      await watching;
      const sorted = times.toSorted((left, right) => left - right);
      return {
        scrape_p50_ms: median(times),
        scrape_p99_ms: sorted[Math.floor(sorted.length * 0.99)] ?? NaN,
        scrape_max_ms: sorted.at(-1) ?? NaN,
      };
    },
  };
}

/** Resident memory before and after something, and what scrapes took meanwhile. */
async function meanwhile(target: Target, run: () => Promise<void>): Promise<Row> {
  const before = memory(target.child.pid).resident_mb ?? NaN;
  const watching = watch(target);
  await run();
  const times = await watching.stop();
  const after = memory(target.child.pid).resident_mb ?? NaN;
  return { ...times, resident_before_mb: before, resident_after_mb: after };
}

async function manyConnections(target: Target): Promise<Row> {
  const open = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const connection = await Deno.connect({ port: PORT });
      await connection.write(
        ENCODER.encode(
          `POST /progress?job_id=c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nframe`,
        ),
      );
      connection.close();
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  };
  await open(2500);
  return await meanwhile(target, () => open(10_000));
}

async function flood(target: Target): Promise<Row> {
  const silent = await Deno.connect({ port: PORT });
  await silent.write(
    ENCODER.encode("POST /progress?job_id=silent HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"),
  );
  const connection = await Deno.connect({ port: PORT });
  await connection.write(
    ENCODER.encode(`POST /progress?job_id=flood HTTP/1.1\r\nHost: x\r\nContent-Length: ${GIGABYTE}\r\n\r\n`),
  );
  const chunk = new Uint8Array(65_536).fill(120);
  let sent = 0;
  const sendUpTo = async (bytes: number): Promise<void> => {
    while (sent < bytes) sent += await connection.write(chunk);
  };
  await sendUpTo(WARM_UP_BYTES);
  const startMs = performance.now();
  const row = await meanwhile(target, () => sendUpTo(GIGABYTE));
  const seconds = (performance.now() - startMs) / 1000;
  connection.close();
  silent.close();
  return { ...row, megabytes_per_second: (GIGABYTE - WARM_UP_BYTES) / 1e6 / seconds };
}
