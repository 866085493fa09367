/** What the collector publishes while GPUs hang, and what scrapers share. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Collector } from "../../lib/collector.ts";
import { eventually } from "../support/exporter_process.ts";
import { openCollector, stubStats } from "../support/gpu_collector.ts";
import { machine, power, STUB_OPTIONS, up } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "NvmlCollector shows the other GPUs while one hangs, and makes no second call to it",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(3));
    await using test = openCollector(stub, { deadlineMs: 100 });
    assertEquals(up((await test.collect()).page, 1), 1);
    stub.script = machine(3, "gpu1 nvmlDeviceGetPowerUsage hang\n");
    for (let scrape = 0; scrape < 5; scrape++) {
      const { page, collection } = await test.collect();
      assertEquals([0, 1, 2].map((gpu) => up(page, gpu)), [1, 0, 1]);
      assertEquals([0, 1, 2].map((gpu) => power(page, gpu)), [1, undefined, 3]);
      assertEquals(collection.up, true);
      assertEquals(collection.problems.map(({ reason }) => reason), ["timeout"]);
      assertStringIncludes(collection.problems[0]?.message ?? "", "GPU 1 hangs: nvmlDeviceGetPowerUsage");
    }
    assertEquals(stubStats(stub).mostInsideGpu, 1);
    stub.script = machine(3);
    await eventually(async () => assertEquals(up((await test.collect()).page, 1), 1));
    assertEquals(stubStats(stub).mostInsideGpu, 1);
    assertEquals(stubStats(stub).inits, 1);
  },
});

Deno.test({
  name: "NvmlCollector reads on when a scraper gives up: no GPU hangs for it, and others get the values",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2, "sys delay_us 500\n"));
    await using test = openCollector(stub, { intervalMs: 60_000 });
    await test.collect();
    test.advance(60_000);
    const collector: Collector = test.collector;
    const { up, problems } = await collector.collect(AbortSignal.abort());
    assertEquals([up, problems], [true, []]);
    const { page } = await test.collect();
    assertEquals([power(page, 0), power(page, 1)], [1, 2]);
  },
});

Deno.test({
  name: "NvmlCollector shares a reading among scrapes within the interval",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1));
    await using test = openCollector(stub, { intervalMs: 1000 });
    const first = (await test.collect()).collection;
    assertEquals((await test.collect()).collection === first, true);
    test.advance(1000);
    assertEquals((await test.collect()).collection === first, false);
  },
});
