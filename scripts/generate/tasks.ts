/**
 * The tasks of deno.json that run exporters, with the flags that their manifests ask for.
 *
 * @module
 */
import { denoFlags } from "../../lib/command_line.ts";
import type { Manifest } from "../../lib/manifest.ts";
import { flagsFile } from "../package_flags.ts";

interface Task {
  readonly description: string;
  readonly command: string;
  readonly dependencies: readonly string[];
}

interface DenoConfig {
  readonly tasks: Readonly<Record<string, Task | string>>;
}

/** Returns deno.json with the task of each exporter, and what `start` may read of the environment. */
export function withExporterTasks(text: string, exporters: readonly Manifest[]): string {
  const config: DenoConfig = JSON.parse(text);
  const { setup, start, ...others } = config.tasks;
  if (setup === undefined || typeof start !== "object") throw new TypeError('deno.json has no task "start"');
  const own = exporters.map((manifest) => [manifest.name, exporterTask(manifest)] as const);
  const variables = exporters.map(({ portVariable }) => portVariable).join(",");
  const tasks = {
    setup,
    ...Object.fromEntries(own),
    start: { ...start, command: start.command.replace(/--allow-env=\S+/, `--allow-env=${variables}`) },
    ...Object.fromEntries(Object.entries(others).filter(([name]) => !own.some(([own]) => own === name))),
  };
  const changed = { ...config, tasks };
  // What is written by hand stays as it is, down to its line breaks, unless something changed.
  return JSON.stringify(changed) === JSON.stringify(config) ? text : `${JSON.stringify(changed, null, 2)}\n`;
}

function exporterTask(manifest: Manifest): Task {
  const { name, port, measures } = manifest;
  return {
    description: `${measures[0]?.toUpperCase()}${measures.slice(1)}, on port ${port}`,
    command: `deno run $(cat .setup/${flagsFile(name)}) ${
      denoFlags(manifest).join(" ")
    } exporters/${name}/main.ts`,
    dependencies: ["setup"],
  };
}
