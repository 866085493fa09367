/**
 * Reads the command line of an exporter by its manifest: the values of its flags, where it listens, and what Deno
 * must grant for that.
 *
 * `deno task start`, `deno task compile`, a compiled exporter that narrows its permissions and the exporter itself
 * all read it here, so none of them can take it for something else.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { COMMON_FLAGS } from "./common_flags.ts";
import { type Grants, mergeGrants, permissionFlags } from "./grants.ts";
import type { Manifest } from "./manifest.ts";
import {
  type Flag,
  type Flags,
  formatAddress,
  type ListenAddress,
  type ParsedFlags,
  parsePort,
  UsageError,
} from "./options.ts";

/**
 * Flags of every Deno that runs an exporter: V8 makes do with half the memory and with none that is writable and
 * executable, and nobody is asked anything.
 */
export const DENO_FLAGS: readonly string[] = [
  "--v8-flags=--optimize-for-size,--max-semi-space-size=4,--jitless",
  "--no-prompt",
];

/** Where an exporter listens by default. */
const DEFAULT_HOST = "0.0.0.0";

/** A command line that was read. */
export interface CommandLine<F extends Flags = Flags> {
  /** The values of the exporter's own flags. */
  readonly options: ParsedFlags<F>;
  /** The values of the flags that every exporter has. */
  readonly common: ParsedFlags<typeof COMMON_FLAGS>;
  /** Where to listen, one address at least. */
  readonly addresses: readonly ListenAddress[];
  /** What Deno must grant. */
  readonly grants: Grants;
}

/** Looks up an environment variable; undefined where it is not set or may not be read. */
export type ReadVariable = (name: string) => string | undefined;

/**
 * Reads a command line.
 *
 * @throws {UsageError} when a flag is unknown, its value malformed, or something is not a flag
 */
export function readCommandLine<F extends Flags>(
  manifest: Manifest<F>,
  args: readonly string[],
  readVariable: ReadVariable = readGrantedVariable,
): CommandLine<F> {
  const flags: Flags = { ...manifest.flags, ...COMMON_FLAGS };
  const given = readArgs(args, flags);
  const values = valuesOf(flags, given);
  const common = values as ParsedFlags<typeof COMMON_FLAGS>;
  const addresses = listenAddresses(manifest, common, readVariable);
  return {
    options: values as ParsedFlags<F>,
    common,
    addresses,
    grants: mergeGrants([
      { net: addresses.map(formatAddress), env: [manifest.portVariable] },
      ...Object.entries(flags).flatMap(([name, flag]) => flagGrants(name, flag, given(name))),
    ]),
  };
}

/**
 * Reads the flags of a tool.
 *
 * @throws {UsageError} as {@linkcode readCommandLine}
 */
export function parseFlags<F extends Flags>(args: readonly string[], flags: F): ParsedFlags<F> {
  return valuesOf(flags, readArgs(args, flags)) as ParsedFlags<F>;
}

/**
 * Deno's flags for an exporter that is started with `args`: V8's settings and the permissions that they need.
 *
 * @throws {UsageError} as {@linkcode readCommandLine}
 */
export function denoFlags(
  manifest: Manifest,
  args: readonly string[] = [],
  readVariable: ReadVariable = () => undefined,
): string[] {
  return grantFlags(manifest, readCommandLine(manifest, args, readVariable).grants);
}

/** The same for grants that are known. */
export function grantFlags(manifest: Manifest, grants: Grants): string[] {
  return [
    ...DENO_FLAGS,
    ...permissionFlags(grants),
    ...(manifest.ignoresEnvironment ? ["--ignore-env"] : []),
  ];
}

function valuesOf(flags: Flags, given: (name: string) => readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, flagValue(name, flag, given(name))]),
  );
}

/** Returns the texts that were given for a flag: of one without a value, an empty one if it is on. */
function readArgs(args: readonly string[], flags: Flags): (name: string) => readonly string[] {
  const names = Object.keys(flags);
  const withValue = names.filter((name) => flags[name]?.placeholder);
  const parsed: Record<string, unknown> = parseArgs([...args], {
    string: withValue,
    boolean: names.filter((name) => !flags[name]?.placeholder),
    collect: withValue,
    unknown: rejectUnknown,
  });
  // What follows "--" is not asked about.
  for (const arg of parsed._ as unknown[]) rejectUnknown(String(arg));
  return (name) => {
    // A dot in a flag's name nests its value.
    let value: unknown = parsed;
    for (const key of name.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
    return Array.isArray(value) ? value : value === true ? [""] : [];
  };
}

function rejectUnknown(arg: string): never {
  const name = arg.startsWith("-") ? arg.replace(/=.*/s, "") : undefined;
  throw new UsageError(
    name
      ? `Cannot use "${name}" as there is no such flag: "--help" lists all`
      : `Cannot use "${arg}" as only flags are taken: "--help" lists all`,
  );
}

function flagValue(name: string, flag: Flag, texts: readonly string[]): unknown {
  if (!flag.placeholder) return texts.length > 0;
  if (flag.repeatable) return texts.map((text) => parseText(name, flag, text));
  if (texts.length > 1) {
    throw new UsageError(
      `Cannot use "--${name}" as it must be given once: it is given ${texts.length} times`,
    );
  }
  const text = texts[0] ?? flag.default;
  return text === undefined ? undefined : parseText(name, flag, text);
}

function parseText(name: string, flag: Flag, text: string): unknown {
  if (text === "") {
    throw new UsageError(
      `Cannot use "--${name}" as its value is missing: want "--${name}=${flag.placeholder}"`,
    );
  }
  try {
    return flag.parse ? flag.parse(text) : text;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(`Cannot use "--${name}" as it ${error.message}: current value is "${text}"`, {
      cause: error,
    });
  }
}

function flagGrants(name: string, flag: Flag, texts: readonly string[]): Grants[] {
  const { grants } = flag;
  if (!grants) return [];
  return (texts.length > 0 ? texts : [flag.default]).map((text) => {
    const granted = grants(text);
    // Deno would take what follows a comma for one more grant.
    const split = Object.values(granted).flat().find((value) => value.includes(","));
    if (split === undefined) return granted;
    throw new UsageError(
      `Cannot use "--${name}" as Deno grants no path with a comma in it: current path is "${split}"`,
    );
  });
}

function listenAddresses(
  { port, portVariable }: Manifest,
  common: ParsedFlags<typeof COMMON_FLAGS>,
  readVariable: ReadVariable,
): readonly ListenAddress[] {
  // Read in any case: what an exporter may do does not depend on its flags.
  const variable = readVariable(portVariable);
  const whole = common["web.listen-address"];
  if (whole.length > 0) {
    if (common.port === undefined && common.host === undefined) return whole;
    throw new UsageError(
      'Cannot use "--web.listen-address" together with "--port" or "--host": give one or the other',
    );
  }
  return [{
    hostname: common.host ?? DEFAULT_HOST,
    port: common.port ?? (variable ? parseVariable(portVariable, variable) : port),
  }];
}

function parseVariable(name: string, text: string): number {
  try {
    return parsePort(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(
      `Cannot use the environment variable ${name} as it ${error.message}: current value is "${text}"`,
      { cause: error },
    );
  }
}

function readGrantedVariable(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}
