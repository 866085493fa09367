/**
 * What the CPU exporter is.
 *
 * @module
 */
import type { Manifest } from "../../lib/manifest.ts";
import { parseDurationMs } from "../../lib/options.ts";

/** Its name, port and flags. */
export const MANIFEST = {
  name: "cpu",
  port: 9510,
  portVariable: "CPU_EXPORTER_PORT",
  artifact: "cpu-exporter",
  measures: "CPU power and energy from RAPL",
  summary:
    "publishes the power and energy of processors and their memory, read from the powercap tree (RAPL)",
  reads: "RAPL energy counters in the powercap tree",
  needs: "RAPL: Intel since 2011, AMD since Zen with Linux 5.8; a bare machine, not a virtual one",
  signs: ["/sys/devices/virtual/powercap/*/"],
  scrape: {
    intervalSeconds: 5,
    timeoutSeconds: 4,
    reason:
      "Answers in about a millisecond from its samples, so often is cheap; energy per frame gains from it.",
  },
  flags: {
    "powercap": {
      placeholder: "DIR",
      help: "where /sys/devices/virtual/powercap is mounted",
      parse: parseFolder,
      default: "/run/powercap",
      grants: (folder = "") => ({ read: [parseFolder(folder)] }),
    },
    "interval": {
      placeholder: "TIME",
      help: "time between two readings of the energy counters, 100ms to 1m",
      parse: parseIntervalMs,
      default: "1s",
    },
  },
} as const satisfies Manifest;

function parseFolder(text: string): string {
  return text.length > 1 ? text.replace(/\/+$/, "") : text;
}

/** A longer interval would miss wraps of the counters; over a shorter one their steps show. */
function parseIntervalMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms < 100 || ms > 60_000) throw new RangeError('must be "100ms" to "1m"');
  return ms;
}
