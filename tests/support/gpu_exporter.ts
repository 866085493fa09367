/**
 * Runs the GPU exporter on the stand-in library, with the permissions of production for that path.
 *
 * @module
 */
import { type ExporterProcess, startExporter } from "./exporter_process.ts";
import type { NvmlStub } from "./nvml_stub.ts";

/** Starts the exporter; every scrape is a new reading unless `args` change that. */
export function startGpuExporter(
  stub: NvmlStub,
  args: string[] = ["--interval=1ms"],
): Promise<ExporterProcess> {
  return startExporter("gpu", {
    args: [`--nvml=${stub.path}`, ...args],
    permissions: ["--no-prompt", `--allow-ffi=${stub.path}`, "--allow-net=0.0.0.0"],
  });
}

/** The value of the first sample whose line begins so; undefined when there is none. */
export function sampleOf(page: string, start: string): number | undefined {
  const line = page.split("\n").find((line) =>
    line.startsWith(start) && (start.endsWith("{") || !/^\w/.test(line.slice(start.length)))
  );
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
}
