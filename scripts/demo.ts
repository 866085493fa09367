/**
 * Runs the exporters on simulated sources, side by side: `deno task demo`.
 *
 * Everything that they show is marked as simulated, on their pages and by the metric `exporter_simulated`.
 *
 * @module
 */
import { CATALOG } from "../exporters/catalog.ts";
import { type ChildProgram, runChildren } from "./run_children.ts";

function main(): Promise<number> {
  const setupFlags = Deno.readTextFileSync(".setup/flags").trim().split(/\s+/);
  const programs: ChildProgram[] = Object.keys(CATALOG).filter(hasSimulation).map((name) => ({
    name,
    command: Deno.execPath(),
    args: ["run", ...setupFlags, "--no-prompt", "-A", `scripts/demo/${name}.ts`],
  }));
  const lines = Object.entries(CATALOG).map(([, { port, measures }]) =>
    `  http://127.0.0.1:${port}/  ${measures}`
  );
  Deno.stderr.writeSync(
    new TextEncoder().encode(`Simulated exporters (end with Ctrl-C):\n${lines.join("\n")}\n`),
  );
  return runChildren(programs);
}

function hasSimulation(name: string): boolean {
  try {
    return Deno.statSync(`scripts/demo/${name}.ts`).isFile;
  } catch {
    return false;
  }
}

if (import.meta.main) Deno.exit(await main());
