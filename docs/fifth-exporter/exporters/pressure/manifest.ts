/**
 * What the pressure exporter is.
 *
 * @module
 */
import type { Manifest } from "../../lib/manifest.ts";

/** Its name, port and flags. */
export const MANIFEST = {
  name: "pressure",
  port: 9512,
  portVariable: "PRESSURE_EXPORTER_PORT",
  artifact: "pressure-exporter",
  measures: "time lost to waiting for CPU, memory and disk",
  summary:
    "publishes how long tasks waited for CPU, memory and I/O, from the kernel's pressure stall information",
  reads: "the kernel's pressure stall information",
  needs: "Linux 4.20 or newer with `CONFIG_PSI`",
  signs: ["/proc/pressure/cpu"],
  scrape: { intervalSeconds: 5, timeoutSeconds: 4 },
  flags: {
    "pressure": {
      placeholder: "DIR",
      help: "where /proc/pressure is mounted",
      default: "/run/pressure",
      grants: (folder = "") => ({ read: [folder] }),
    },
  },
} as const satisfies Manifest;
