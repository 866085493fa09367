/**
 * The pressure exporter: how long tasks waited for CPU, memory and I/O.
 *
 * @module
 */
import { runExporter } from "../../lib/exporter.ts";
import type { Exporter, ExporterProgram } from "../../lib/program.ts";
import { PROJECT } from "../catalog.ts";
import { PRESSURE_METRICS, PressureCollector } from "./collector.ts";
import { MANIFEST } from "./manifest.ts";

const METRIC = PRESSURE_METRICS.stalled.name;

/** The exporter as a program. */
export const PROGRAM = {
  manifest: MANIFEST,
  project: PROJECT,
  start(options): Exporter {
    return {
      collectors: [new PressureCollector(options.pressure)],
      page: {
        title: "Pressure",
        summary: "How long tasks of this machine waited for CPU, memory and disk.",
        chart: { metric: METRIC, unit: "s", labels: ["resource", "kind"] },
        table: { key: ["resource", "kind"], columns: [{ metric: METRIC, title: "Waited", unit: "s" }] },
      },
      keep: [{ name: "read", path: options.pressure }],
    };
  },
} satisfies ExporterProgram<typeof MANIFEST.flags>;

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
