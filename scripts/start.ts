/**
 * Starts any set of exporters side by side: `deno task start [NAME [FLAG]…]…`, all four without a name.
 *
 * The flags after a name are that exporter's; its permissions follow them. Standard output carries what the
 * exporters print there (with `--port=0` a JSON line each), standard error their logs with the name before
 * each line. SIGTERM and SIGINT stop them all. Exit code: 0 when all ended well, 2 for wrong arguments, else
 * that of the first exporter that failed. A failed one is not started again, and the others go on.
 *
 * @module
 */
import { CATALOG, type ExporterName } from "../exporters/catalog.ts";
import { denoFlags } from "../lib/command_line.ts";
import { packageFlags } from "./package_flags.ts";
import { type ChildProgram, runChildren } from "./run_children.ts";

const NAMES = Object.keys(CATALOG) as ExporterName[];

/** The command that runs an exporter from its source, with the permissions that `args` ask for. */
export function exporterCommand(name: ExporterName, args: readonly string[] = []): ChildProgram {
  return {
    name,
    command: Deno.execPath(),
    args: [
      "run",
      ...packageFlags(name),
      ...denoFlags(CATALOG[name], args, Deno.env.get),
      `exporters/${name}/main.ts`,
      ...args,
    ],
  };
}

/**
 * Reads `NAME FLAG… NAME FLAG…`; nothing means every exporter.
 *
 * @throws {RangeError} for a name that is none or comes twice
 */
export function parseSelection(args: readonly string[]): Map<ExporterName, string[]> {
  const selection = new Map<ExporterName, string[]>();
  let flags: string[] | undefined;
  for (const arg of args) {
    const name = NAMES.find((name) => name === arg);
    if (name && !selection.has(name)) {
      selection.set(name, flags = []);
    } else if (flags && !name) {
      flags.push(arg);
    } else {
      throw new RangeError(
        name
          ? `Cannot start "${name}" as it must be given once`
          : `Cannot start "${arg}" as it must be one of ${NAMES.join(", ")}`,
      );
    }
  }
  return selection.size > 0 ? selection : new Map(NAMES.map((name) => [name, []]));
}

async function main(args: readonly string[]): Promise<number> {
  let selection: Map<ExporterName, string[]>;
  try {
    selection = parseSelection(args);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`start: ${error.message}\n`));
    return 2;
  }
  return await runChildren([...selection].map(([name, flags]) => exporterCommand(name, flags)));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
