/** MIG devices, from the stand-in library. */
import { assertEquals } from "@std/assert";
import { openCollector } from "../support/gpu_collector.ts";
import { machine, STUB_OPTIONS } from "../support/gpu_machine.ts";
import { NvmlStub, readScript } from "../support/nvml_stub.ts";

Deno.test({
  name: "Gpu does not complain of the memory of a whole GPU with MIG on: it is for administrators",
  ...STUB_OPTIONS,
  fn: async () => {
    const refusal = "gpu0 nvmlDeviceGetMemoryInfo_v2 !4\ngpu0 nvmlDeviceGetMemoryInfo !4\n";
    using stub = await NvmlStub.create(`${await readScript("mig")}\n${refusal}`);
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals(collection.problems, []);
    assertEquals(page.includes("gpu_memory_total_bytes{"), false);
    assertEquals(page.match(/^gpu_mig_memory_total_bytes\{/gm)?.length, 2);
    stub.script = machine(1, refusal);
    assertEquals((await test.collect()).collection.problems.map(({ reason }) => reason), ["permission"]);
  },
});

Deno.test({
  name: "MigReader reads MIG devices as they come and go",
  ...STUB_OPTIONS,
  fn: async () => {
    const script = `sys max_wait_ms 20\n${await readScript("mig")}`;
    using stub = await NvmlStub.create(script);
    await using test = openCollector(stub);
    assertEquals((await test.collect()).page.match(/^gpu_mig_info\{/gm)?.length, 3);
    stub.script = script.replace(
      "nvmlDeviceGetMigDeviceHandleByIndex:3 0",
      "nvmlDeviceGetMigDeviceHandleByIndex:3 !6",
    );
    const { page } = await test.collect();
    assertEquals(page.match(/^gpu_mig_info\{/gm)?.length, 2);
    assertEquals(page.match(/^gpu_mig_memory_total_bytes\{/gm)?.length, 1);
    stub.script = script.replace("nvmlDeviceGetMigMode 1 1", "nvmlDeviceGetMigMode 0 0");
    assertEquals((await test.collect()).page.includes("gpu_mig"), false);
  },
});
