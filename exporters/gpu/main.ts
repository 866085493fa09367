/**
 * The GPU exporter: power, video engines, memory, clocks and faults of every NVIDIA GPU, through NVML.
 *
 * Needs the driver's libnvidia-ml.so.1 and may open it with `--allow-ffi=PATH`; revokes that once it is open.
 *
 * @module
 */
import { runExporter } from "../../lib/exporter.ts";
import type { Exporter, ExporterContext, ExporterProgram } from "../../lib/program.ts";
import type { ParsedFlags } from "../../lib/options.ts";
import type { PageDescription } from "../../lib/page.ts";
import { PROJECT } from "../catalog.ts";
import { NvmlCollector } from "./collector.ts";
import { MANIFEST, NVML_PATHS } from "./manifest.ts";
import { type NvmlLibrary, openNvmlLibrary } from "./nvml_library.ts";
import { SessionKeeper } from "./session_keeper.ts";
import { XidLog } from "./xid_watcher.ts";

const PAGE: PageDescription = {
  title: "NVIDIA GPUs",
  summary: "Power, video encoders and decoders, memory, clocks and faults of every GPU of this machine.",
  chart: { metric: "gpu_power_watts", unit: "W", labels: ["gpu"] },
  table: {
    key: ["gpu", "uuid"],
    columns: [
      { metric: "gpu_up", title: "Up" },
      { metric: "gpu_power_watts", title: "Power", unit: "W" },
      { metric: "gpu_temperature_celsius", title: "Temperature", unit: "°C" },
      { metric: "gpu_utilization_ratio", title: "GPU", unit: "ratio" },
      { metric: "gpu_encoder_utilization_ratio", title: "Encoder", unit: "ratio" },
      { metric: "gpu_decoder_utilization_ratio", title: "Decoder", unit: "ratio" },
      { metric: "gpu_encoder_sessions", title: "NVENC sessions" },
      { metric: "gpu_memory_used_bytes", title: "Memory used", unit: "B" },
      { metric: "gpu_memory_total_bytes", title: "Memory", unit: "B" },
    ],
  },
};

/** Opens the library; the demo passes its own. */
export type LibrarySource = (paths: readonly string[]) => NvmlLibrary;

/** Returns the program for a source of the library. */
export function createProgram(openLibrary: LibrarySource): ExporterProgram<typeof MANIFEST.flags> {
  return {
    manifest: MANIFEST,
    project: PROJECT,
    start: (options, context) => start(options, { ...context, openLibrary }),
  };
}

function start(
  options: ParsedFlags<typeof MANIFEST.flags>,
  { log, openLibrary }: ExporterContext & { openLibrary: LibrarySource },
): Exporter {
  const paths = options.nvml === undefined ? NVML_PATHS : [options.nvml];
  const xids = new XidLog();
  const keeper = new SessionKeeper({
    openLibrary: () => openLibrary(paths),
    xids,
    log,
    // Open, it stays usable without the permission.
    onOpen: () => Deno.permissions.revokeSync({ name: "ffi" }),
    processes: options.processes,
    measurePcie: options["pcie-throughput"],
  });
  const isOpen = keeper.start();
  return {
    collectors: [new NvmlCollector({ keeper, xids, intervalMs: options.interval })],
    page: PAGE,
    keep: isOpen ? [] : paths.map((path) => ({ name: "ffi", path })),
    // Stopping the Xid watcher takes a second, which the process need not wait for.
    stop: () => void keeper.stop(),
  };
}

/** The program. */
export const PROGRAM: ExporterProgram<typeof MANIFEST.flags> = createProgram((paths) =>
  openNvmlLibrary({ paths })
);

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
