/** Lists that do not fit at first, from the stand-in library. */
import { assertEquals } from "@std/assert";
import { openCollector } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { machine, STUB_OPTIONS } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "RecordList asks again with more room, and lists 64 processes at most",
  ...STUB_OPTIONS,
  fn: async () => {
    const processes = Array.from(
      { length: 100 },
      (_, i) => `${1000 + i} ${(i + 1) * 4096} 4294967295 4294967295`,
    );
    using stub = await NvmlStub.create(
      machine(1, `gpu0 nvmlDeviceGetComputeRunningProcesses_v3 ${processes.join(" ")}\n`),
    );
    await using test = openCollector(stub, { processes: true });
    const { page } = await test.collect();
    assertEquals(sampleOf(page, "gpu_processes{"), 100);
    const listed = [...page.matchAll(/gpu_process_memory_bytes\{.*pid="(\d+)"/g)].map(([, pid]) =>
      Number(pid)
    );
    assertEquals(listed, Array.from({ length: 64 }, (_, i) => 1036 + i));
  },
});
