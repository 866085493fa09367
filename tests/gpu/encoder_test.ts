/** NVENC sessions, from the stand-in library. */
import { assertEquals } from "@std/assert";
import { openCollector } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { machine, STUB_OPTIONS } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "readEncoder() lists NVENC sessions also where their statistics cannot be had",
  ...STUB_OPTIONS,
  fn: async () => {
    const sessions =
      "gpu0 nvmlDeviceGetEncoderSessions 7 48211 0 0 1920 1080 60 6100 8 48212 0 1 1280 720 25 9800\n";
    for (const code of [3, 999]) {
      using stub = await NvmlStub.create(machine(1, `gpu0 nvmlDeviceGetEncoderStats !${code}\n${sessions}`));
      await using test = openCollector(stub);
      const { page, collection } = await test.collect();
      assertEquals(sampleOf(page, "gpu_encoder_sessions{"), 2);
      assertEquals(page.match(/^gpu_encoder_session_fps\{/gm)?.length, 2);
      assertEquals(page.includes("gpu_encoder_average_fps{"), false);
      assertEquals(collection.problems.length, code === 3 ? 0 : 1);
    }
    using stub = await NvmlStub.create(machine(1));
    await using test = openCollector(stub);
    assertEquals((await test.collect()).page.includes("gpu_encoder_sessions"), false);
  },
});
