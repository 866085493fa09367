/**
 * Command line flags: a table says what there is, and everything else stops the start with a sentence.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";

/** A flag. Without a placeholder it is on or off. */
export interface Flag<T = unknown> {
  /** What it does, for `--help`: a phrase without a final period. */
  readonly help: string;
  /** Name of its value in `--help`. */
  readonly placeholder?: string;
  /**
   * Turns the text into the value.
   *
   * @throws {TypeError | RangeError} whose message goes on from "as it": `must be 1 to 65535`
   */
  readonly parse?: (text: string) => T;
  /** Text of the value where the flag is not given. */
  readonly default?: string;
  /** Whether it may be given several times: its value is then an array. */
  readonly repeatable?: boolean;
}

/** Flags by name, without the leading dashes. */
export type Flags = Readonly<Record<string, Flag>>;

type FlagValue<F extends Flag> = F extends { parse: (text: string) => infer T } ? T : string;

/** The values of {@linkcode Flags}, by the flag's name. */
export type ParsedFlags<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends { placeholder: string }
    ? F[K] extends { repeatable: true } ? FlagValue<F[K]>[]
    : F[K] extends { default: string } ? FlagValue<F[K]>
    : FlagValue<F[K]> | undefined
    : boolean;
};

/** A command line that cannot be used; the message names the flag and says what it must be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Parses command line arguments.
 *
 * @throws {UsageError} when a flag is unknown or its value malformed
 */
export function parseFlags<F extends Flags>(args: readonly string[], flags: F): ParsedFlags<F> {
  const entries = Object.entries(flags);
  const withValue = entries.filter(([, flag]) => flag.placeholder).map(([name]) => name);
  const parsed: Record<string, unknown> = parseArgs([...args], {
    string: withValue,
    boolean: entries.filter(([, flag]) => !flag.placeholder).map(([name]) => name),
    collect: withValue,
    unknown: rejectUnknown,
  });
  return Object.fromEntries(
    entries.map(([name, flag]) => [name, flagValue(name, flag, lookUp(parsed, name))]),
  ) as ParsedFlags<F>;
}

function rejectUnknown(arg: string): never {
  const name = arg.startsWith("-") ? arg.replace(/=.*/s, "") : undefined;
  throw new UsageError(
    name
      ? `Cannot use "${name}" as there is no such flag: "--help" lists all`
      : `Cannot use "${arg}" as only flags are taken: "--help" lists all`,
  );
}

/** A dot in a flag's name nests its value. */
function lookUp(parsed: Record<string, unknown>, name: string): unknown {
  let value: unknown = parsed;
  for (const key of name.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
  return value;
}

function flagValue(name: string, flag: Flag, given: unknown): unknown {
  if (!flag.placeholder) return given === true;
  const texts = given as string[];
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

const DURATION_REGEXP = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Parses a duration such as `500ms`, `1s`, `2m` or `1h` to milliseconds.
 *
 * @throws {RangeError} when it is none, or is zero
 */
export function parseDurationMs(text: string): number {
  const [, amount, unit] = DURATION_REGEXP.exec(text) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit ?? ""] ?? NaN);
  // A timer of more than 2^31-1 ms would fire at once.
  if (!(ms >= 1 && ms < 2 ** 31)) throw new RangeError('must be a duration such as "500ms", "1s" or "2m"');
  return ms;
}

/**
 * Parses a TCP port; 0 lets the system choose.
 *
 * @throws {RangeError} when it is none
 */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new RangeError("must be 1 to 65535, or 0 for any free port");
  }
  return port;
}

/** Returns a parser that takes one of `choices`. */
export function oneOf<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((choice) => choice === text);
    if (choice === undefined) throw new RangeError(`must be one of ${choices.join(", ")}`);
    return choice;
  };
}

/** A host and a TCP port. */
export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

/**
 * Parses `HOST:PORT`, `:PORT` (every IPv4 address) or `[ADDR]:PORT`.
 *
 * @throws {RangeError} when it is none of these
 */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d+)$/.exec(text) ?? [];
  if (port === undefined) {
    throw new RangeError('must be HOST:PORT such as "127.0.0.1:9510", ":9510" or "[::1]:9510"');
  }
  return { hostname: bracketed ?? (plain || "0.0.0.0"), port: parsePort(port) };
}

/** Lists flags for `--help`, one line each. */
export function describeFlags(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => ({
    usage: `  --${name}${flag.placeholder ? ` ${flag.placeholder}` : ""}`,
    help: `${flag.help}${flag.default === undefined ? "" : ` (default ${flag.default})`}${
      flag.repeatable ? " (repeatable)" : ""
    }`,
  }));
  const width = Math.max(...rows.map((row) => row.usage.length)) + 2;
  return rows.map((row) => `${row.usage.padEnd(width)}${row.help}`).join("\n");
}
