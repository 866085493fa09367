/**
 * The CPU exporter: power and energy of the processor packages and their memory, from RAPL.
 *
 * Needs to read the powercap tree and to listen on its port; while it serves, it can read that tree and
 * nothing else.
 *
 * @module
 */
import { type Exporter, type ExporterProgram, runExporter } from "../../lib/exporter.ts";
import { type Flags, parseDurationMs } from "../../lib/options.ts";
import { PowercapCollector } from "./collector.ts";
import { RAPL_METRICS } from "./metrics.ts";
import { PowercapSampler } from "./sampler.ts";

const FLAGS = {
  "powercap": {
    placeholder: "DIR",
    help: "where /sys/devices/virtual/powercap is mounted",
    parse: parseFolder,
    default: "/run/powercap",
  },
  "interval": {
    placeholder: "TIME",
    help: "time between two readings of the energy counters, 100ms to 1m",
    parse: parseIntervalMs,
    default: "1s",
  },
} as const satisfies Flags;

/** The CPU exporter as {@linkcode runExporter} takes it. */
export const PROGRAM = {
  name: "cpu",
  summary: "serves the power and energy of processors and their memory, read from the powercap tree (RAPL)",
  flags: FLAGS,
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
} satisfies ExporterProgram<typeof FLAGS>;

function parseFolder(text: string): string {
  return text.length > 1 ? text.replace(/\/+$/, "") : text;
}

/** A longer interval would miss wraps of the counters; over a shorter one their steps show. */
function parseIntervalMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms < 100 || ms > 60_000) throw new RangeError('must be "100ms" to "1m"');
  return ms;
}

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
