/**
 * Gives an exporter two pages more: `/permissions`, what it may do while it serves, and `/memory`, what of its
 * memory is in use once all garbage is collected (with `--v8-flags=--expose-gc`).
 *
 * @module
 */
import { jsonResponse } from "../../../lib/http/message.ts";
import type { Exporter, ExporterContext, ExporterProgram } from "../../../lib/program.ts";
import type { Flags, ParsedFlags } from "../../../lib/options.ts";

const NAMES = ["run", "read", "write", "net", "env", "sys", "ffi", "import"] as const;

/** What `/permissions` answers: the state of each permission as a whole, and those asked for by `?read=/tmp`. */
export type PermissionStates = Readonly<Record<string, Deno.PermissionState>>;

/** The exporter with the two pages. */
export function withProbes<F extends Flags>(program: ExporterProgram<F>): ExporterProgram<F> {
  const start = async (options: ParsedFlags<F>, context: ExporterContext): Promise<Exporter> => {
    const exporter = await program.start(options, context);
    return {
      ...exporter,
      handle(request): ReturnType<NonNullable<Exporter["handle"]>> {
        switch (request.path) {
          case "/permissions":
            return jsonResponse(states(new URLSearchParams(request.query)));
          case "/memory":
            return jsonResponse(memoryInUse());
        }
        return exporter.handle?.(request);
      },
    };
  };
  return { ...program, start };
}

/** Bytes that JavaScript holds, outside of V8's heap too. */
function memoryInUse(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

function states(asked: URLSearchParams): PermissionStates {
  const whole = NAMES.map((name) => [name, { name } as Deno.PermissionDescriptor] as const);
  const single = [...asked].filter(([, value]) => knowsUnixGrants() || !value.startsWith("unix:")).map((
    [name, value],
  ) => [`${name} ${value}`, describe(name, value)] as const);
  return Object.fromEntries(
    [...whole, ...single].map(([key, descriptor]) => [key, Deno.permissions.querySync(descriptor).state]),
  );
}

function describe(name: string, value: string): Deno.PermissionDescriptor {
  switch (name) {
    case "read":
    case "write":
    case "ffi":
      return { name, path: value };
    case "net":
      return { name, host: value };
  }
  throw new RangeError(`"${name}" cannot be asked for`);
}

/** Before 2.9, Deno has one permission for all sockets. */
function knowsUnixGrants(): boolean {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  return major > 2 || minor >= 9;
}
