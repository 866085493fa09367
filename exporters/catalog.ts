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

const DENO_FLAG_REGEXP = /(?<=\s)--(?:v8-flags=\S+|allow-\S+|ignore-env|no-prompt)(?=\s)/g;

/**
 * Deno's flags in an exporter's task, in the task's order: its permissions, and V8's settings, with which it makes
 * do with half the memory: `["--v8-flags=…", "--no-prompt", "--allow-read=…", …]`.
 */
export function denoFlags(name: ExporterName): string[] {
  return config.tasks[name].command.match(DENO_FLAG_REGEXP) ?? [];
}
