/**
 * Work of one variant of a step, over and over in a process of its own: `work.ts VARIANT [PATH]`. Prints how long
 * it took, the first time and in the middle, as JSON.
 *
 * @module
 */
import { EnergyFile } from "../../exporters/cpu/powercap.ts";
import { JOB_METRICS } from "../../exporters/ffmpeg/metrics.ts";
import { Exposition, type Labels, type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { formatFamily } from "../../lib/prom_client.ts";
import { median } from "../harness.ts";

const JOBS = 1000;
const PAGES = 25;
const READS = 3000;
/** The families of a job whose only label is its id. */
const FAMILIES: readonly MetricDefinition[] = Object.values(JOB_METRICS)
  .filter(({ labels }) => labels.length === 1);

function labelsOf(job: number): Labels {
  return { job_id: `job-${job}` };
}

function snapshot(labels: (job: number) => Labels): Snapshot {
  const snapshot = new Snapshot();
  for (let job = 0; job < JOBS; job++) {
    const own = labels(job);
    for (const family of FAMILIES) snapshot.add(family, Math.random() * 1000, own);
  }
  return snapshot;
}

/** The page as prom-client writes it, labels and all. */
async function withPromClient({ families }: Snapshot): Promise<string> {
  let page = "";
  for (const [metric, values] of families) {
    page += `${await formatFamily({ ...metric, values })}\n`;
  }
  return page;
}

async function timed(count: number, work: (round: number) => unknown): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < count; round++) {
    const startMs = performance.now();
    await work(round);
    times.push(performance.now() - startMs);
  }
  return times;
}

const exposition = new Exposition();
const known = Array.from({ length: JOBS }, (_, job) => labelsOf(job));
const [variant, path = ""] = Deno.args;

function pages(render: (snapshot: Snapshot) => Promise<string>, labels = labelsOf): Promise<number[]> {
  return timed(PAGES, () => render(snapshot(labels)));
}

const VARIANTS: Readonly<Record<string, () => Promise<number[]>>> = {
  "prom-client": () => pages(withPromClient),
  "labels-once-a-page": () => pages((snapshot) => exposition.render([snapshot], "text")),
  "labels-once": () =>
    pages((snapshot) => exposition.render([snapshot], "text"), (job) => known[job] ?? labelsOf(job)),
  "file-opened-for-each-reading": () =>
    timed(READS, () => {
      using file = new EnergyFile(path);
      file.read();
    }),
  "file-kept-open": () => {
    const file = new EnergyFile(path);
    return timed(READS, () => file.read());
  },
};

const times = await VARIANTS[variant ?? ""]?.() ?? [];
const result = { first: times[0] ?? NaN, median: median(times.slice(times.length >> 2)) };
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
