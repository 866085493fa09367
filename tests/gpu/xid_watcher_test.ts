/** Xids, from the stand-in library. */
import { assertEquals } from "@std/assert";
import { eventually } from "../support/exporter_process.ts";
import { openCollector, stubStats } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { machine, STUB_OPTIONS, up } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "XidWatcher does without Xids where registering for them fails",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1, "gpu0 nvmlDeviceRegisterEvents !999\nevent 1 gpu0 8 79\n"));
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals([up(page, 0), collection.problems], [1, []]);
    assertEquals((await test.collect()).page.includes("gpu_xid"), false);
  },
});

Deno.test({
  name: "XidLog counts Xids across sessions, those of a lost GPU too",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2));
    await using test = openCollector(stub);
    await test.collect();
    stub.script = machine(2, "event 1 gpu1 8 31\nevent 2 gpu1 8 31\nevent 3 gpu1 8 79\nevent 4 gpu0 256 1\n");
    await eventually(async () => {
      const { page } = await test.collect();
      assertEquals(sampleOf(page, 'gpu_xid_errors_total{gpu="1",uuid="GPU-1",xid="31"}'), 2);
      assertEquals(sampleOf(page, 'gpu_xid_errors_total{gpu="1",uuid="GPU-1",xid="79"}'), 1);
      assertEquals(page.includes('gpu_xid_errors_total{gpu="0"'), false);
    });
    stub.script = machine(2, "gpu1 * !15\n");
    await eventually(async () => {
      const { page } = await test.collect();
      assertEquals(stubStats(stub).inits, 2);
      assertEquals(sampleOf(page, 'gpu_xid_errors_total{gpu="1",uuid="GPU-1",xid="31"}'), 2);
    });
  },
});
