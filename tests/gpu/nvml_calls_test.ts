/** Return codes, from the stand-in library. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { openCollector } from "../support/gpu_collector.ts";
import { machine, power, STUB_OPTIONS, up } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "NvmlCalls reports a refusal of what every user may read, and only that",
  ...STUB_OPTIONS,
  fn: async () => {
    const forAdministrators = [
      "gpu0 nvmlDeviceGetFieldValues !4",
      "gpu0 nvmlDeviceGetEncoderStats 1 60 100",
      "gpu0 nvmlDeviceGetEncoderSessions !4",
      "gpu0 nvmlDeviceGetComputeRunningProcesses_v3 !4",
      "gpu0 nvmlDeviceGetProcessUtilization !4",
      "gpu0 nvmlDeviceGetMigMode !4",
    ].join("\n");
    using stub = await NvmlStub.create(machine(1, forAdministrators));
    await using test = openCollector(stub, { processes: true });
    assertEquals((await test.collect()).collection.problems, []);
    stub.script = machine(1, `${forAdministrators}\ngpu0 nvmlDeviceGetTemperatureV !4\n`);
    const { page, collection } = await test.collect();
    assertEquals([collection.up, up(page, 0), power(page, 0)], [true, 1, 1]);
    assertEquals(collection.problems.map(({ reason }) => reason), ["permission"]);
    assertStringIncludes(
      collection.problems[0]?.message ?? "",
      "GPU 0 refuses values that every user may read: nvmlDeviceGetTemperatureV returned NO_PERMISSION (4); let",
    );
    stub.script = machine(1);
    assertEquals((await test.collect()).collection.problems, []);
  },
});
