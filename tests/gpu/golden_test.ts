/** Whole pages of the GPU exporter, from the real dlopen path on the stand-in library. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/exporter_process.ts";
import { assertGolden } from "../support/golden.ts";
import { startGpuExporter } from "../support/gpu_exporter.ts";
import { NvmlStub, readScript } from "../support/nvml_stub.ts";
import { needs } from "../support/programs.ts";

const CASES = [
  { name: "idle", args: [] },
  { name: "busy", args: ["--processes", "--pcie-throughput"] },
  { name: "mig", args: [] },
  { name: "old_driver", args: [], old: true },
];

for (const { name, args, old = false } of CASES) {
  Deno.test({
    name: `gpu exporter publishes tests/golden/gpu/${name}.prom`,
    ...needs("cc"),
    fn: async () => {
      using stub = await NvmlStub.create(await readScript(name), { old });
      await using exporter = await startGpuExporter(stub, ["--interval=1ms", ...args]);
      // The second scrape has the rates that need two readings.
      await exporter.metrics();
      await assertGolden(`gpu/${name}`, await exporter.metrics());
      const { status, sources: [source] } = await exporter.health();
      assertEquals({ status, source }, { status: "ok", source: { name: "nvml", up: true, reason: "" } });
    },
  });
}

Deno.test({
  name: "gpu exporter publishes tests/golden/gpu/lost.prom",
  ...needs("cc"),
  fn: async () => {
    const script = await readScript("lost");
    using stub = await NvmlStub.create(script);
    await using exporter = await startGpuExporter(stub);
    assertStringIncludes(await exporter.metrics(), "gpu_devices 4\n");
    stub.script = `${script}event 1 gpu2 8 79\ngpu2 * !15\n`;
    const page = await eventually(async () => {
      const page = await exporter.metrics();
      assertStringIncludes(page, "gpu_devices 3\n");
      assertStringIncludes(page, "gpu_xid_errors_total{");
      return page;
    });
    await assertGolden("gpu/lost", page.replace(/^(gpu_xid_last_timestamp_seconds\{.*\}) \S+$/gm, "$1 0"));
    const { sources: [source] } = await exporter.health();
    assertStringIncludes(source?.reason ?? "", "GPU 2 is unavailable:");
    assertStringIncludes(source?.reason ?? "", "GPU_IS_LOST (15)");
  },
});
