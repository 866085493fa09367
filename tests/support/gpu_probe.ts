/**
 * The GPU exporter with one page more, `/permissions`: the state of each Deno permission while it serves.
 *
 * @module
 */
import { PROGRAM } from "../../exporters/gpu/main.ts";
import { runExporter } from "../../lib/exporter.ts";

const NAMES = ["run", "read", "write", "net", "env", "sys", "ffi", "import"] as const;

const start: typeof PROGRAM.start = async (options, context) => ({
  ...await PROGRAM.start(options, context),
  handle: (request) => request.url.endsWith("/permissions") ? Response.json(states()) : undefined,
});

/** Also asks for the very grants that the exporter started with. */
function states(): Record<string, string> {
  const path = Deno.args.find((arg) => arg.startsWith("--nvml="))?.slice("--nvml=".length) ?? "";
  return Object.fromEntries([
    ...NAMES.map((name) => [name, Deno.permissions.querySync({ name } as Deno.PermissionDescriptor).state]),
    ["ffi of the library", Deno.permissions.querySync({ name: "ffi", path }).state],
    ["net of the port", Deno.permissions.querySync({ name: "net", host: "0.0.0.0" }).state],
  ]);
}

if (import.meta.main) Deno.exit(await runExporter({ ...PROGRAM, start }, Deno.args));
