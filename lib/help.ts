/**
 * The text of `--help`: flags, the environment variable, permissions and an example.
 *
 * @module
 */
import { denoFlags } from "./command_line.ts";
import { COMMON_FLAGS } from "./common_flags.ts";
import type { Manifest, Project } from "./manifest.ts";
import type { Flags } from "./options.ts";

/** Describes an exporter for its operator. */
export function helpText(manifest: Manifest, { version }: Project): string {
  const { artifact, name, port, portVariable, summary, flags } = manifest;
  const flagsOfDeno = denoFlags(manifest);
  const permissions = flagsOfDeno.filter((flag) => !flag.startsWith("--v8-flags"));
  return `${artifact} ${version}: ${summary}

Usage: ${artifact} [FLAGS]

${describeFlags({ ...flags, ...COMMON_FLAGS })}

Environment:
  ${portVariable}  port to listen on, where no flag sets it (default ${port})

Permissions it needs:
${permissions.map((flag) => `  ${flag}`).join("\n")}

Example:
  deno run ${flagsOfDeno.join(" ")} exporters/${name}/main.ts
  curl http://127.0.0.1:${port}/metrics
`;
}

/** Lists flags, one line each. */
function describeFlags(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => ({
    usage: `  --${name}${flag.placeholder ? ` ${flag.placeholder}` : ""}`,
    help: `${flag.help}${flag.default === undefined ? "" : ` (default ${flag.default})`}${
      flag.repeatable ? " (repeatable)" : ""
    }`,
  }));
  const width = Math.max(...rows.map((row) => row.usage.length)) + 2;
  return rows.map((row) => `${row.usage.padEnd(width)}${row.help}`).join("\n");
}
