/** NVIDIA's own libnvidia-ml.so.1 of several drivers, on a machine without a GPU. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { openNvmlLibrary } from "../../exporters/gpu/nvml_library.ts";
import { eventually, startExporter } from "../support/exporter_process.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { shownAt } from "../support/gpu_library.ts";
import { needsLibrary, NVIDIA_DRIVERS, nvidiaLibrary } from "../support/nvidia_drivers.ts";
import { needsNamespaces, runsIf } from "../support/programs.ts";

const noDriver = runsIf(!exists("/proc/driver/nvidia"), "an NVIDIA driver is loaded");

for (const driver of NVIDIA_DRIVERS) {
  const library = await nvidiaLibrary(driver) ?? "";
  const needed = needsLibrary(driver, library || undefined);

  Deno.test({
    name:
      `openNvmlLibrary() finds what the library of NVIDIA's driver ${driver.branch} has, and knows what it lacks`,
    ...needed,
    sanitizeResources: false, // The library stays open on purpose.
    fn: () => {
      const { symbols } = openNvmlLibrary({ paths: [library] });
      const missing = Object.entries(symbols).filter(([, call]) => call === null).map(([name]) => name);
      assertEquals(missing.sort(), driver.lacks.toSorted());
      assertStringIncludes(library, `libnvidia-ml.so.${driver.branch}.`);
    },
  });

  Deno.test({
    name:
      `gpu exporter opens the library of NVIDIA's driver ${driver.branch} as its task may, and reports what is missing`,
    ignore: needed.ignore || noDriver.ignore || needsNamespaces().ignore,
    fn: async () => {
      const folder = `/usr/lib/${Deno.build.arch}-linux-gnu`;
      using shown = shownAt(`${folder}/libnvidia-ml.so.1`, library);
      await using exporter = await startExporter("gpu", { prefix: shown.prefix, args: ["--interval=1ms"] });
      assertStringIncludes(exporter.stderr(), `path=${folder}/libnvidia-ml.so.1`);
      await eventually(async () => {
        const page = await exporter.metrics();
        assertEquals(sampleOf(page, 'exporter_source_error{source="nvml",reason="driver_not_loaded"}'), 1);
        assertEquals(sampleOf(page, "gpu_devices"), 0);
        assertEquals(sampleOf(page, 'exporter_source_up{source="nvml"}'), 0);
      });
      const { sources: [source] } = await exporter.health();
      assertStringIncludes(
        source?.reason ?? "",
        "The NVIDIA driver is unavailable: nvmlInit_v2 returned DRIVER_NOT_LOADED (9); load the kernel module",
      );
    },
  });
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
