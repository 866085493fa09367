/**
 * The CPU exporter: power and energy of the processor packages and their memory, from RAPL.
 *
 * Needs to read the powercap tree and to listen on its port; while it serves, it can read that tree and
 * nothing else.
 *
 * @module
 */
import { runExporter } from "../../lib/exporter.ts";
import type { Exporter, ExporterProgram } from "../../lib/program.ts";
import { PROJECT } from "../catalog.ts";
import { PowercapCollector } from "./collector.ts";
import { MANIFEST } from "./manifest.ts";
import { RAPL_METRICS } from "./metrics.ts";
import { PowercapSampler } from "./sampler.ts";

/** The CPU exporter as {@linkcode runExporter} takes it. */
export const PROGRAM = {
  manifest: MANIFEST,
  project: PROJECT,
  start(options): Exporter {
    const root = options.powercap;
    const sampler = new PowercapSampler(root, { intervalMs: options.interval });
    sampler.start();
    return {
      collectors: [new PowercapCollector(sampler)],
      page: {
        title: "CPU power",
        summary: "Power and energy of this machine's processor packages and their memory, from RAPL. " +
          "Zones overlap: core and uncore are parts of their package. On AMD, core is a single core.",
        chart: { metric: RAPL_METRICS.power.name, unit: "W", labels: ["zone", "path"] },
        table: {
          key: ["zone", "path"],
          columns: [
            { metric: RAPL_METRICS.power.name, title: "Power", unit: "W" },
            { metric: RAPL_METRICS.powerPeak.name, title: "Peak, last minute", unit: "W" },
            { metric: RAPL_METRICS.energy.name, title: "Energy since start", unit: "J" },
          ],
        },
      },
      // Zones come and go, so their files are opened again and again.
      keep: [{ name: "read", path: root }],
      stop: () => sampler.stop(),
    };
  },
} satisfies ExporterProgram<typeof MANIFEST.flags>;

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
