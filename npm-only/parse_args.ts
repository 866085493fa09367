/**
 * The part of `@std/cli/parse-args` that `lib/options.ts` uses, on minimist.
 *
 * Stands in for `jsr:@std/cli` where JSR is out of reach; names and behaviour are those of
 * https://jsr.io/@std/cli/doc/parse-args.
 *
 * @module
 */
// @ts-types="npm:@types/minimist@1.2.5"
import minimist from "minimist";

/** The options of {@linkcode parseArgs} that this project uses. */
export interface ParseOptions {
  /** Flags that take a value. */
  string: readonly string[];
  /** Flags that are on or off. */
  boolean: readonly string[];
  /** Flags whose values always come as an array. */
  collect: readonly string[];
  /** Called for every argument that is none of these flags; false drops it. */
  unknown: (arg: string) => unknown;
}

/** Parses command line arguments; a dot in a flag's name nests its value. */
export function parseArgs(args: string[], options: ParseOptions): Record<string, unknown> {
  const parsed: Record<string, unknown> = minimist(args.filter((arg) => !isNegation(arg, options)), {
    string: [...options.string],
    boolean: [...options.boolean],
    unknown: (arg) => options.unknown(arg) !== false,
  });
  for (const name of options.collect) {
    const path = name.split(".");
    const last = path.pop() ?? name;
    let parent = parsed;
    for (const key of path) parent = (parent[key] ??= {}) as Record<string, unknown>;
    const value = parent[last];
    parent[last] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  }
  return parsed;
}

/** Minimist reads `--no-x` as x switched off; `@std/cli` does so only when asked, and here nobody asks. */
function isNegation(arg: string, options: ParseOptions): boolean {
  return arg.startsWith("--no-") && options.unknown(arg) === false;
}
