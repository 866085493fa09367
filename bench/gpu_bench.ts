/**
 * What reading GPUs costs, on the stand-in library: collections beside the bare calls that they make, the whole
 * exporter, 100,000 collections in a row, and `nvidia-smi -q -x` where there is one.
 *
 * @module
 */
import { startGpuExporter } from "../tests/support/gpu_exporter.ts";
import { type ScaleOptions, scaleScript } from "../tests/support/gpu_scale.ts";
import { NvmlStub } from "../tests/support/nvml_stub.ts";
import { isInstalled } from "../tests/support/programs.ts";
import { cpuSeconds, type Findings, median, memory, type Row } from "./harness.ts";
import { packageFlags } from "../scripts/package_flags.ts";

const SCALES: Readonly<Record<string, ScaleOptions>> = {
  "8 GPUs, 0.1 ms a call": { gpus: 8, delayMicroseconds: 100 },
  "8 GPUs, 0.1 ms a call, one at a time in the driver": { gpus: 8, delayMicroseconds: 100, serial: true },
  "1 GPU": { gpus: 1 },
  "8 GPUs": { gpus: 8 },
};
const ONE_CORE_SCALES = [1, 2, 4, 8, 16];
const SCRAPES = 300;
const SOAK_COLLECTIONS = 100_000;
const SMI_RUNS = 20;

/** Measures. Needs cc; uses nvidia-smi where there is one. */
export async function bench(): Promise<Findings> {
  const rows: Record<string, Row> = {};
  for (const [name, options] of Object.entries(SCALES)) {
    rows[name] = await measure([], "scale", JSON.stringify(options));
  }
  for (const gpus of ONE_CORE_SCALES) {
    rows[`${gpus} GPUs with 7 MIG devices each, on one core`] = await measure(
      ["taskset", "-c", "0"],
      "scale",
      JSON.stringify({ gpus, mig: 7 }),
    );
  }
  rows["gpu exporter, /metrics with 1 GPU"] = await measureExporter();
  rows["gpu exporter, /health while one of two GPUs hangs"] = await measureHealth();
  rows[`${SOAK_COLLECTIONS} collections of 1 GPU`] = await measure([], "soak", String(SOAK_COLLECTIONS));
  if (isInstalled("nvidia-smi")) rows["nvidia-smi -q -x"] = await measureSmi();
  return {
    versions: { deno: Deno.version.deno },
    rows,
    notes: [
      "bare_calls_ms: the same calls one after the other, blocking, with nothing around them; collect_ms: a " +
      "collection and its page; cpu_ms: CPU time of that, all threads together; medians.",
      "GPUs are read side by side, so calls that take time overlap unless the driver lets in one at a time.",
      "Memory of the collections in a row is taken after a garbage collection, the young generation held at 4 MB.",
      ...(isInstalled("nvidia-smi") ? [] : ["No GPU here: nvidia-smi was not measured."]),
    ],
  };
}

async function measure(prefix: string[], ...args: string[]): Promise<Row> {
  const words = [
    ...prefix,
    Deno.execPath(),
    "run",
    "-A",
    "--v8-flags=--expose-gc,--max-semi-space-size=4",
    ...packageFlags("tests"),
    "bench/gpu_collections.ts",
    ...args,
  ];
  const [command = "", ...rest] = words;
  const { success, stdout, stderr } = await new Deno.Command(command, { args: rest }).output();
  if (!success) throw new Error(`Cannot measure ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function measureExporter(): Promise<Row> {
  using stub = await NvmlStub.create(scaleScript({ gpus: 1 }));
  await using exporter = await startGpuExporter(stub);
  const times: number[] = [];
  await exporter.metrics();
  const before = cpuSeconds(exporter.pid);
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const startedMs = performance.now();
    await exporter.metrics();
    times.push(performance.now() - startedMs);
  }
  return {
    collect_ms: median(times),
    cpu_ms: (cpuSeconds(exporter.pid) - before) * 1000 / SCRAPES,
    "resident_mb_at_100%": memory(exporter.pid).resident_mb ?? NaN,
  };
}

async function measureHealth(): Promise<Row> {
  using stub = await NvmlStub.create(scaleScript({ gpus: 2 }));
  await using exporter = await startGpuExporter(stub);
  await exporter.metrics();
  stub.script = `${scaleScript({ gpus: 2 })}gpu1 * hang\n`;
  await exporter.metrics();
  const times: number[] = [];
  for (let request = 0; request < SCRAPES; request++) {
    const startedMs = performance.now();
    await exporter.health();
    times.push(performance.now() - startedMs);
  }
  return { collect_ms: median(times) };
}

async function measureSmi(): Promise<Row> {
  const times: number[] = [];
  for (let run = 0; run < SMI_RUNS; run++) {
    const startedMs = performance.now();
    await new Deno.Command("nvidia-smi", { args: ["-q", "-x"] }).output();
    times.push(performance.now() - startedMs);
  }
  return { collect_ms: median(times) };
}
