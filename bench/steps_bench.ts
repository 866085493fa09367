/**
 * What each step towards a lighter exporter brings: with it and without, in turn, in one run.
 *
 * The first of each group is without the step; ratios of the table are to its first line all the same.
 *
 * @module
 */
import { CATALOG, type ExporterName } from "../exporters/catalog.ts";
import { DENO_FLAGS, denoFlags } from "../lib/command_line.ts";
import { bundleExporter } from "../scripts/compile/bundle.ts";
import { exporterCommand } from "../scripts/start.ts";
import { openPosts, report } from "./ffmpeg_clients.ts";
import {
  cpuSeconds,
  type Findings,
  load,
  median,
  medians,
  memory,
  type Row,
  scrapeAHundredTimes,
  startTarget,
  stopTarget,
  type Target,
} from "./harness.ts";
import { packageFlags } from "../scripts/package_flags.ts";

const PORT = 19_700;
const ROUNDS = 5;
const JOBS = 1000;
const BUNDLES = "dist/bench";
/** V8's flags of the tasks, the same for all exporters. */
const TASK_V8_FLAGS = DENO_FLAGS.find((flag) => flag.startsWith("--v8-flags=")) ?? "";

type Variant = () => Promise<Row>;

/** Measures the variants in turn, and returns the medians of each. */
async function inTurn(
  variants: Readonly<Record<string, Variant>>,
  rounds = ROUNDS,
): Promise<Record<string, Row>> {
  const measured = new Map<string, Row[]>(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(variants)) measured.get(name)?.push(await measure());
  }
  return Object.fromEntries([...measured].map(([name, rows]) => [name, medians(rows)]));
}

async function withTarget(args: readonly string[], measure: (target: Target) => Promise<Row>): Promise<Row> {
  const url = `http://127.0.0.1:${PORT}/metrics`;
  const target = await startTarget({ name: "step", command: Deno.execPath(), args, url });
  try {
    return await measure(target);
  } finally {
    await stopTarget(target);
  }
}

/** Start and memory of a process after a hundred scrapes. */
async function footprint(target: Target): Promise<Row> {
  await scrapeAHundredTimes(target);
  return { start_ms: target.startMs, anonymous_mb: memory(target.child.pid).anonymous_mb ?? NaN };
}

function server(variant: string, measure: (target: Target) => Promise<Row>): Variant {
  const args = [
    "run",
    ...packageFlags("tests"),
    TASK_V8_FLAGS,
    "-A",
    "bench/steps/server.ts",
    `${PORT}`,
    variant,
  ];
  return () => withTarget(args, measure);
}

/** Latency and CPU time of scrapes of a server that has warmed up. */
function loaded(headers: readonly string[] = []): (target: Target) => Promise<Row> {
  return async (target) => {
    await load(target, 1, headers);
    const { p50_us = NaN, cpu_us_per_request = NaN } = await load(target, 2, headers);
    return { p50_us, cpu_us_per_request };
  };
}

const GZIP = ["Accept-Encoding: gzip"];

/** Work in a process of its own, which may read the file alone. */
function work(variant: string, unit: "ms" | "us", path = "/nowhere"): Variant {
  return async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...packageFlags("tests"),
        TASK_V8_FLAGS,
        `--allow-read=${path}`,
        "bench/steps/work.ts",
        variant,
        path,
      ],
      stderr: "inherit",
    }).output();
    const { first, median } = JSON.parse(new TextDecoder().decode(stdout));
    const factor = unit === "us" ? 1000 : 1;
    return { [`first_${unit}`]: first * factor, [`median_${unit}`]: median * factor };
  };
}

/** An exporter without a source, from its files or, where given, from one bundle. */
function exporter(name: ExporterName, bundle?: string): Variant {
  const flags = [`--port=${PORT}`];
  const args = bundle === undefined
    ? exporterCommand(name, flags).args
    : ["run", "--no-config", "--no-lock", ...denoFlags(CATALOG[name], flags), bundle, ...flags];
  return () => withTarget(args, footprint);
}

async function bundles(names: readonly ExporterName[]): Promise<Record<string, Variant>> {
  const variants: Record<string, Variant> = {};
  for (const name of names) {
    variants[`${name} from its files`] = exporter(name);
    variants[`${name} bundled`] = exporter(name, await bundleExporter(name, { folder: BUNDLES }));
  }
  return variants;
}

/** The ffmpeg exporter with a thousand jobs that report twice a second on the given path, scraped as often. */
function thousandJobs(v8Flags: string, path = "/progress"): Variant {
  const args = exporterCommand("ffmpeg", [`--port=${PORT}`]).args
    .map((flag) => flag === TASK_V8_FLAGS ? v8Flags : flag).filter(Boolean);
  return () =>
    withTarget(args, async (target) => {
      const { pid } = target.child;
      await using sink = await openPosts(PORT, JOBS, { path });
      let frame = await report(sink, 2);
      const [cpuBefore, startMs] = [cpuSeconds(pid), performance.now()];
      const times: number[] = [];
      for (let round = 0; round < 15; round++) {
        frame = await report(sink, 0.5, frame);
        const scrapeMs = performance.now();
        await (await fetch(target.url, { headers: { "accept-encoding": "identity" } })).text();
        times.push(performance.now() - scrapeMs);
      }
      const seconds = (performance.now() - startMs) / 1000;
      return {
        cpu_percent: 100 * (cpuSeconds(pid) - cpuBefore) / seconds,
        first_ms: times[0] ?? NaN,
        median_ms: median(times),
        anonymous_mb: memory(pid).anonymous_mb ?? NaN,
      };
    });
}

/** Measures. Needs wrk. */
export async function bench(): Promise<Findings> {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "123456789\n");
  try {
    const rows: Record<string, Row> = {
      ...await inTurn({
        "bare server": server("bare", footprint),
        "whole prom-client": server("prom-client", footprint),
        "prom-client's registry": server("prom-client-registry", footprint),
        "whole dockerode": server("dockerode", footprint),
        "dockerode without what is never called": server("dockerode-reduced", footprint),
        ...await bundles(["cpu", "docker"]),
      }),
      ...await inTurn({
        "1000 jobs' page: prom-client": work("prom-client", "ms"),
        "1000 jobs' page: labels written once a page": work("labels-once-a-page", "ms"),
        "1000 jobs' page: labels written once": work("labels-once", "ms"),
        "counter: opened for each reading": work("file-opened-for-each-reading", "us", file),
        "counter: kept open": work("file-kept-open", "us", file),
      }),
      ...await inTurn({
        "96 series: rendered for each scrape": server("page-rendered-for-each-scrape", loaded()),
        "96 series: kept, after a promise": server("page-kept-after-a-promise", loaded()),
        "96 series: kept": server("page-kept", loaded()),
        "96 series: rendered and compressed for each scrape": server(
          "page-rendered-for-each-scrape",
          loaded(GZIP),
        ),
        "96 series: kept compressed": server("page-kept", loaded(GZIP)),
      }),
      ...await inTurn({
        "1000 jobs: no V8 flags": thousandJobs(""),
        "1000 jobs: --optimize-for-size": thousandJobs("--v8-flags=--optimize-for-size"),
        "1000 jobs: semi-space 1 MB": thousandJobs("--v8-flags=--max-semi-space-size=1"),
        "1000 jobs: semi-space 4 MB": thousandJobs("--v8-flags=--max-semi-space-size=4"),
        "1000 jobs: both, 1 MB": thousandJobs("--v8-flags=--optimize-for-size,--max-semi-space-size=1"),
        "1000 jobs: both, 4 MB (the tasks')": thousandJobs(TASK_V8_FLAGS),
        "1000 jobs: the same through fetch's streams": thousandJobs(TASK_V8_FLAGS, "/ingest"),
      }, 3),
    };
    return {
      versions: { deno: Deno.version.deno, v8: Deno.version.v8 },
      rows,
      notes: [
        `Medians of ${ROUNDS} rounds, of 3 for the 1,000 jobs; V8's flags are the tasks' unless named`,
        "Memory: after a hundred compressed scrapes; exporters have no source",
        "first and median: one page or reading, in a process of its own; of the 1,000 jobs a scrape over HTTP",
      ],
    };
  } finally {
    await Deno.remove(file);
    await Deno.remove(BUNDLES, { recursive: true });
  }
}
