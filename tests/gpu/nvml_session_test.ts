/** One session, on the stand-in library. */
import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/exporter_process.ts";
import { openCollector } from "../support/gpu_collector.ts";
import { machine, STUB_OPTIONS, up } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "NvmlSession shows the GPUs while a call that concerns none of them hangs",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2));
    await using test = openCollector(stub, { deadlineMs: 50 });
    await test.collect();
    stub.script = machine(2, "sys nvmlDeviceGetCount_v2 hang\n");
    const { page, collection } = await test.collect();
    assertEquals([up(page, 0), up(page, 1)], [1, 1]);
    assertMatch(
      collection.problems[0]?.message ?? "",
      /^The NVIDIA driver hangs: nvmlDeviceGetCount_v2 does not/,
    );
    stub.script = machine(2);
    await eventually(async () => assertEquals((await test.collect()).collection.problems, []));
  },
});
