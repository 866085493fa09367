/** What a collection costs: wide limits, for the machine is shared. `deno task bench gpu` measures. */
import { assert } from "@std/assert";
import { openCollector } from "./support/gpu_collector.ts";
import { measureCollections, scaleScript } from "./support/gpu_scale.ts";
import { NvmlStub } from "./support/nvml_stub.ts";
import { needs } from "./support/programs.ts";

const OPTIONS = { ...needs("cc"), sanitizeResources: false };

Deno.test({
  name: "NvmlCollector takes no longer than the calls themselves plus 20 %, with 8 GPUs and 0.1 ms a call",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(scaleScript({ gpus: 8, delayMicroseconds: 100 }));
    const { collectMs, bareMs } = await measureCollections(stub, 15);
    assert(collectMs < bareMs * 1.2, `${collectMs} ms for calls of ${bareMs} ms`);
  },
});

Deno.test({
  name:
    "NvmlCollector needs less than 100 ms of one core for 16 GPUs with 7 MIG devices each, growing linearly",
  ...OPTIONS,
  fn: async () => {
    const cpuMs: number[] = [];
    for (const gpus of [4, 8, 16]) {
      using stub = await NvmlStub.create(scaleScript({ gpus, mig: 7 }));
      cpuMs.push((await measureCollections(stub, 15)).cpuMs);
    }
    const [of4 = NaN, of8 = NaN, of16 = NaN] = cpuMs;
    assert(of16 < 100, `${of16} ms`);
    assert(of16 < 3 * of8 && of8 < 3 * of4, `${cpuMs} ms for 4, 8 and 16 GPUs`);
  },
});

Deno.test({
  name: "NvmlCollector keeps no memory from one collection to the next",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(scaleScript({ gpus: 1, mig: 2 }));
    await using test = openCollector(stub, { processes: true });
    const residentAfter = async (collections: number): Promise<number> => {
      for (let i = 0; i < collections; i++) await test.collector.collect(new AbortController().signal);
      return Deno.memoryUsage().rss / 1e6;
    };
    const before = await residentAfter(1500);
    const after = await residentAfter(1500);
    // A leak of one struct a call would be more than this.
    assert(after - before < 5, `${before} MB, then ${after} MB`);
  },
});
