/** Processes, from the stand-in library. */
import { assertEquals } from "@std/assert";
import { openCollector } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { machine, STUB_OPTIONS } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "ProcessReader adds the memory of a process in two MIG instances only where both parts are known",
  ...STUB_OPTIONS,
  fn: async () => {
    const none = "18446744073709551615";
    using stub = await NvmlStub.create(machine(
      1,
      `gpu0 nvmlDeviceGetComputeRunningProcesses_v3 1 ${none} 1 0 1 ${none} 9 0 2 4096 1 1 2 ${none} 9 0 3 4096 1 1 3 1 9 0\n`,
    ));
    await using test = openCollector(stub, { processes: true });
    const { page } = await test.collect();
    const memory = [1, 2, 3].map((pid) =>
      sampleOf(page, `gpu_process_memory_bytes{gpu="0",uuid="GPU-0",pid="${pid}",type="compute"}`)
    );
    assertEquals(memory, [undefined, undefined, 4097]);
    assertEquals(sampleOf(page, "gpu_processes{"), 3);
  },
});

Deno.test({
  name: "ProcessReader reads 24-byte process records, the 32-byte ones of early R535 and the oldest of 16",
  ...STUB_OPTIONS,
  fn: async () => {
    for (const size of [16, 24, 32]) {
      using stub = await NvmlStub.create(machine(
        1,
        `sys record_size ${size}\n` +
          "gpu0 nvmlDeviceGetComputeRunningProcesses_v3 101 1000 4294967295 4294967295 102 2000 4294967295 4294967295 " +
          "103 18446744073709551615 4294967295 4294967295\n",
      ));
      await using test = openCollector(stub, { processes: true });
      const { page } = await test.collect();
      const memory = [101, 102, 103].map((pid) =>
        sampleOf(page, `gpu_process_memory_bytes{gpu="0",uuid="GPU-0",pid="${pid}",type="compute"}`)
      );
      assertEquals(memory, [1000, 2000, undefined], `records of ${size} bytes`);
      assertEquals(sampleOf(page, "gpu_processes{"), 3);
    }
  },
});
