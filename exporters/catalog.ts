/**
 * The exporters of this project: one row each, and what follows from deno.json about them.
 *
 * deno.json holds the version and, in each exporter's task, its permission flags; nothing repeats them here.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** What is fixed about an exporter. */
export interface CatalogRow {
  /** TCP port it listens on unless told otherwise. */
  readonly port: number;
  /** File name of the compiled program, name of its unit and of its compose service. */
  readonly artifact: string;
  /** What it measures, in a few words. */
  readonly measures: string;
}

/** Every exporter by its name, which is its folder, its task and its `exporter` label. */
export const CATALOG = {
  cpu: { port: 9510, artifact: "cpu-exporter", measures: "CPU power and energy from RAPL" },
  gpu: { port: 9511, artifact: "gpu-exporter", measures: "NVIDIA GPUs through NVML" },
  ffmpeg: { port: 9506, artifact: "ffmpeg-exporter", measures: "running ffmpeg jobs" },
  docker: { port: 9501, artifact: "docker-stats-exporter", measures: "containers of the Docker Engine" },
} as const satisfies Record<string, CatalogRow>;

/** Name of one of the exporters. */
export type ExporterName = keyof typeof CATALOG;

/** This project's version, from deno.json. */
export const VERSION: string = config.version;

const PERMISSION_FLAG_REGEXP = /(?<=\s)--(?:allow-\S+|ignore-env|no-prompt)(?=\s)/g;

/** The permission flags of an exporter's task, in the task's order: `["--no-prompt", "--allow-read=…", …]`. */
export function permissionFlags(name: ExporterName): string[] {
  return config.tasks[name].command.match(PERMISSION_FLAG_REGEXP) ?? [];
}
