/**
 * The table of vintages in tests/README.md, made from the rows and what the last run found.
 *
 * @module
 */
import { nameOf, VINTAGES } from "./vintages.ts";

/** What became of a row. */
export interface Result {
  readonly outcome: "passed" | "failed" | "missing";
  /** What was tried, as in "ffmpeg 9.0.2". */
  readonly versions: readonly string[];
  readonly detail: string;
}

const RESULTS = new URL("./result.json", import.meta.url);
const README = new URL("../README.md", import.meta.url);
const BEGIN = "<!-- The table of vintages: written by deno task test:vintages -->\n";
const END = "<!-- The end of the table of vintages -->\n";

/** The results of the last runs, by the rows' names. */
export function readResults(): Record<string, Result> {
  return JSON.parse(Deno.readTextFileSync(RESULTS));
}

/** Writes results, and the table with them. */
export async function writeResults(results: Record<string, Result>): Promise<void> {
  const known = Object.fromEntries(
    VINTAGES.map(nameOf).filter((name) => name in results).map((name) => [name, results[name]]),
  );
  await Deno.writeTextFile(RESULTS, `${JSON.stringify(known, undefined, 2)}\n`);
  await Deno.writeTextFile(README, withTable(await Deno.readTextFile(README)));
}

/** The README with the table in it. @throws {Error} when its place is not marked */
export function withTable(readme: string): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`Cannot find the place of the table in ${README.pathname}`);
  const results = readResults();
  const rows = VINTAGES.map((row) => {
    const { versions, outcome, detail } = results[nameOf(row)] ??
      { versions: [], outcome: "missing", detail: "not run yet" };
    return [versions.join(", ") || row.parts.join(", "), row.suite, row.tried, `${outcome}, ${detail}`];
  });
  const head = ["Part", "Debian", "What is tried", "Last run"];
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
  return `${before}${BEGIN}\n${table}\n${END}${after}`;
}
