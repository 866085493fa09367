/**
 * Tables of command line flags, and parsers of their values. lib/command_line.ts reads a command line by them.
 *
 * @module
 */
import type { Grants } from "./grants.ts";

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
  /** What Deno must grant for a value; undefined where the flag is not given and has no default. */
  readonly grants?: (text: string | undefined) => Grants;
}

/** Flags by name, without the leading dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** The value of one flag. */
export type FlagValue<F extends Flag> = F extends { parse: (text: string) => infer T } ? T : string;

/** The values of {@linkcode Flags}, by the flag's name. */
export type ParsedFlags<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends { placeholder: string }
    ? F[K] extends { repeatable: true } ? FlagValue<F[K]>[]
    : F[K] extends { default: string } ? FlagValue<F[K]>
    : FlagValue<F[K]> | undefined
    : boolean;
};

/** A command line that cannot be used; the message names the flag and what it must be. */
export class UsageError extends Error {
  /** The class, by which it is logged. */
  override readonly name = "UsageError";
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
  /** Host name or address. */
  readonly hostname: string;
  /** TCP port. */
  readonly port: number;
}

/**
 * Checks a host name or address: Deno grants it by its text.
 *
 * @throws {RangeError} when it is neither
 */
export function parseHost(text: string): string {
  if (!/^[\w.:%-]+$/.test(text)) throw new RangeError('must be an address or name such as "127.0.0.1"');
  return text;
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
  return { hostname: parseHost(bracketed ?? (plain || "0.0.0.0")), port: parsePort(port) };
}

/** Writes an address as Deno's flags and URLs do: IPv6 in brackets. */
export function formatAddress({ hostname, port }: ListenAddress): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
