/**
 * One measurement of bench/gpu_bench.ts, in its own process so that it can be given one core:
 * `scale JSON` times collections, `soak N` makes N of them and reports the memory on the way.
 *
 * @module
 */
import { openCollector } from "../tests/support/gpu_collector.ts";
import { measureCollections, type ScaleOptions, scaleScript } from "../tests/support/gpu_scale.ts";
import { NvmlStub } from "../tests/support/nvml_stub.ts";

const ROUNDS = 50;

async function scale(options: ScaleOptions): Promise<Record<string, number>> {
  using stub = await NvmlStub.create(scaleScript(options));
  const { calls, bareMs, collectMs, cpuMs } = await measureCollections(stub, ROUNDS);
  return { calls, bare_calls_ms: bareMs, collect_ms: collectMs, cpu_ms: cpuMs };
}

/** Needs `--expose-gc`: the garbage of so many collections in a row is no leak. */
async function soak(collections: number): Promise<Record<string, number>> {
  using stub = await NvmlStub.create(scaleScript({ gpus: 1, mig: 2 }));
  await using test = openCollector(stub, { processes: true });
  const startedMs = performance.now();
  const result: Record<string, number> = {};
  for (let done = 1; done <= collections; done++) {
    await test.collector.collect();
    if (done % (collections / 4) === 0) Object.assign(result, memoryNow(`at_${100 * done / collections}%`));
  }
  const collectMs = (performance.now() - startedMs) / collections;
  return { collect_ms: collectMs, ...result };
}

/** What lives on V8's heap, and what is resident beside that heap, which V8 makes larger as it likes. */
function memoryNow(when: string): Record<string, number> {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed, heapTotal } = Deno.memoryUsage();
  return {
    [`resident_mb_${when}`]: rss / 1e6,
    [`heap_mb_${when}`]: heapUsed / 1e6,
    [`beside_heap_mb_${when}`]: (rss - heapTotal) / 1e6,
  };
}

if (import.meta.main) {
  const [what, argument = ""] = Deno.args;
  const result = what === "soak" ? await soak(Number(argument)) : await scale(JSON.parse(argument));
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
  Deno.exit(0);
}
