/**
 * What it costs that V8 runs without its compiler: CPU time, anonymous memory, latency of a scrape and CPU time of a
 * start, with and without `--jitless`, in turn, for small and large sources of the docker, ffmpeg and gpu exporters.
 *
 * @module
 */
import type { ExporterName } from "../exporters/catalog.ts";
import { withJit } from "../scripts/compile.ts";
import { exporterCommand } from "../scripts/start.ts";
import { scaleScript } from "../tests/support/gpu_scale.ts";
import { NvmlStub } from "../tests/support/nvml_stub.ts";
import { openFiles } from "./ffmpeg_clients.ts";
import {
  cpuSeconds,
  type Findings,
  median,
  memory,
  type Row,
  sleep,
  startTarget,
  stopTarget,
  type Target,
} from "./harness.ts";

const PORT = 9546;
const WARM_UP_SECONDS = 8;
const SECONDS = 20;

/** Measures. Needs cc. */
export async function bench(): Promise<Findings> {
  const rows: Record<string, Row> = {};
  for (const jit of [false, true]) {
    const label = (what: string): string => `${what}, ${jit ? "with" : "without"} JIT`;
    for (const containers of [1, 100]) {
      rows[label(`${containers} containers`)] = await docker(containers, jit);
    }
    for (const jobs of [10, 1000]) rows[label(`${jobs} jobs`)] = await ffmpeg(jobs, jit);
    for (const gpus of [1, 16]) rows[label(`${gpus} GPUs`)] = await gpu(gpus, jit);
  }
  return {
    versions: { deno: Deno.version.deno, v8: Deno.version.v8 },
    rows: Object.fromEntries(Object.entries(rows).toSorted(([left], [right]) => left < right ? -1 : 1)),
    notes: [
      `After ${WARM_UP_SECONDS} s, over ${SECONDS} s with a scrape every second; cpu_percent is of one core`,
      "The engine, the jobs and the driver are simulated; containers are read every 5 seconds, GPUs every second",
    ],
  };
}

async function docker(containers: number, jit: boolean): Promise<Row> {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/docker.sock`;
  const engine = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "bench/docker_simulation.ts", socket, String(containers)],
  }).spawn();
  try {
    await sleep(3);
    return await measure("docker", [`--docker-host=unix://${socket}`], jit);
  } finally {
    engine.kill();
    await engine.status;
    await Deno.remove(folder, { recursive: true });
  }
}

async function gpu(gpus: number, jit: boolean): Promise<Row> {
  using stub = await NvmlStub.create(scaleScript({ gpus }));
  return await measure("gpu", [`--nvml=${stub.path}`], jit);
}

async function ffmpeg(jobs: number, jit: boolean): Promise<Row> {
  const folder = await Deno.makeTempDir();
  await using files = openFiles(folder, jobs);
  let frame = 0;
  const timer = setInterval(() => files.send(frame += 12), 500);
  try {
    return await measure("ffmpeg", [`--progress-dir=${folder}`], jit);
  } finally {
    clearInterval(timer);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts an exporter and measures it. */
async function measure(name: ExporterName, args: readonly string[], jit: boolean): Promise<Row> {
  const { command, args: words } = exporterCommand(name, [`--port=${PORT}`, ...args]);
  const target = await startTarget({
    name,
    command,
    args: jit ? words.map(withJit) : words,
    url: `http://127.0.0.1:${PORT}/metrics`,
  });
  const startCpuMs = cpuSeconds(target.child.pid) * 1000;
  try {
    await scrape(target, WARM_UP_SECONDS);
    const before = cpuSeconds(target.child.pid);
    const latencies = await scrape(target, SECONDS);
    return {
      cpu_percent: (cpuSeconds(target.child.pid) - before) / SECONDS * 100,
      anonymous_mb: memory(target.child.pid).anonymous_mb ?? NaN,
      scrape_ms: median(latencies),
      start_cpu_ms: startCpuMs,
    };
  } finally {
    await stopTarget(target);
  }
}

/** Scrapes once a second and returns what each scrape took, in milliseconds. */
async function scrape({ url }: Target, seconds: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const startedMs = performance.now();
    await (await fetch(url)).arrayBuffer();
    latencies.push(performance.now() - startedMs);
    await sleep(1);
  }
  return latencies;
}
