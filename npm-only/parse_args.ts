/**
 * The part of `@std/cli/parse-args` that `lib/command_line.ts` uses, on the parser of `node:util`: a compiled
 * exporter reads its command line before it loads any library.
 *
 * Stands in for `jsr:@std/cli` where JSR is out of reach; names and behaviour are those of
 * https://jsr.io/@std/cli/doc/parse-args.
 *
 * @module
 */
import { parseArgs as parseTokens } from "node:util";

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
  const { tokens } = parseTokens({
    args,
    options: Object.fromEntries([
      ...options.string.map((name) => [name, { type: "string" as const, multiple: true }]),
      ...options.boolean.map((name) => [name, { type: "boolean" as const }]),
    ]),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, unknown>(options.boolean.map((name) => [name, false]));
  for (const name of options.collect) values.set(name, []);
  const positionals: string[] = [];
  let isEnded = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") isEnded = true;
    else if (token.kind === "positional") {
      if (isEnded || options.unknown(token.value) !== false) positionals.push(token.value);
    } else if (options.string.includes(token.name) && token.rawName.startsWith("--")) {
      (values.get(token.name) as string[]).push(token.value ?? "");
    } else if (options.boolean.includes(token.name) && token.rawName.startsWith("--")) {
      values.set(token.name, token.value !== "false");
    } else {
      options.unknown(token.value === undefined ? token.rawName : `${token.rawName}=${token.value}`);
    }
  }
  return { ...nest(values), _: positionals };
}

/** Gives `a.b` as `b` of an object `a`. */
function nest(values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const nested: Record<string, unknown> = {};
  for (const [name, value] of values) {
    const keys = name.split(".");
    const last = keys.pop() ?? name;
    let parent = nested;
    for (const key of keys) parent = (parent[key] ??= {}) as Record<string, unknown>;
    parent[last] = value;
  }
  return nested;
}
