/**
 * What an executable of several exporters does: it is the one whose artifact it is called by (`cpu-exporter`, a link
 * to it), or whose name is its first argument. Only that exporter's code is loaded, after permissions have been
 * narrowed to that exporter's.
 *
 * @module
 */
import process from "node:process";
import type { RunOptions } from "./exporter.ts";
import type { Manifest, Project } from "./manifest.ts";
import { narrowGrants } from "./narrow_grants.ts";
import type { ExporterProgram } from "./program.ts";

/** Loads the program of each exporter, by its name. */
export type LoadProgram = Readonly<Record<string, () => Promise<unknown>>>;

/** Name of the executable. */
export const EXECUTABLE = "worker-exporters";

/** Runs the exporter that the command names, and returns the exit code: 2 where it names none. */
export async function runByName(
  project: Project,
  load: LoadProgram,
  args: readonly string[],
  options: RunOptions = {},
): Promise<number> {
  const calledAs = process.argv0.replace(/^.*\//, "");
  const linked = project.exporters.find(({ artifact }) => artifact === calledAs);
  const manifest = linked ?? project.exporters.find(({ name }) => name === args[0]);
  if (manifest === undefined) return answer(project, args[0], options.commit);
  const flags = linked ? args : args.slice(1);
  narrowGrants(manifest, flags, project.exporters);
  const { runExporter } = await import("./exporter.ts");
  return await runExporter(await load[manifest.name]?.() as ExporterProgram, flags, options);
}

function answer(project: Project, arg: string | undefined, commit: string | undefined): number {
  const { version, exporters } = project;
  switch (arg) {
    case "--version":
      return print(
        `${EXECUTABLE} ${version} (deno ${Deno.version.deno}${commit ? `, commit ${commit}` : ""})\n`,
      );
    case "--help":
      return print(helpText(project));
  }
  const problem = arg === undefined ? "no exporter is named" : `there is no exporter "${arg}"`;
  const names = exporters.map(({ name }) => name).join(", ");
  Deno.stderr.writeSync(encode(
    `${EXECUTABLE}: Cannot start as ${problem}: the first argument must be one of ${names}\n`,
  ));
  return 2;
}

function helpText({ version, exporters }: Project): string {
  return `${EXECUTABLE} ${version}: Prometheus exporters for a transcoding worker

Usage: ${EXECUTABLE} NAME [FLAGS]
       ${EXECUTABLE} NAME --help

${exporters.map(describe).join("\n")}

Called by the name of a link to it, such as ${exporters[0]?.artifact}, it is that exporter.
`;
}

function describe({ name, port, artifact, measures }: Manifest): string {
  return `  ${name.padEnd(8)}${measures}, on port ${port}; the same as ${artifact}`;
}

function print(text: string): number {
  Deno.stdout.writeSync(encode(text));
  return 0;
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
