/**
 * Runs all exporters on simulated sources for a long time: `deno task soak [SECONDS] [--seed N]`, ten minutes
 * unless told otherwise.
 *
 * Each source changes five times a second, each exporter is scraped by two, and faults of tests/faults/
 * happen to it at random; the same seed brings the same ones in the same order. Fails when a page is not 200 or does
 * not parse, a counter falls, a value was not true a moment before, a fault is not told or not got over, or when
 * memory, open files or series grow. Writes tests/soak/result.json, except in CI.
 *
 * @module
 */
import { Random } from "../support/random.ts";
import { type Measurement, soakExporter, type SoakResult } from "./exporter_soak.ts";
import { SUBJECTS } from "./subjects.ts";

const RESULTS = new URL("./result.json", import.meta.url);
const DEFAULT_SECONDS = 600;
/** What is measured before this is not judged: caches fill, code is compiled. */
const WARM_UP_SECONDS = 120;
/** What memory in use may grow by from the first measurements after that to the last, in bytes. */
const GROWTH_BYTES = 2 * 1024 * 1024;
/** More resident memory than any of them may ever have, garbage and all, in bytes. */
const MOST_BYTES = 256 * 1024 * 1024;
/** What the number of open files may grow by: connections of the scrapers that are kept. */
const GROWTH_FILES = 24;

/** Medians at the beginning, after warming up, and at the end. */
interface Growth {
  readonly first: Measurement;
  readonly last: Measurement;
}

async function main(args: readonly string[]): Promise<number> {
  const { seconds, seed } = parse(args);
  say(`${seconds} seconds, seed ${seed}`);
  const outcomes = await Promise.all(
    Object.entries(SUBJECTS).map(async ([name, create], index) => {
      const subject = await create();
      await using _rig = subject.rig;
      const result = await soakExporter(subject, { name, random: new Random(seed + index), seconds, say });
      return { name, result, growth: growthOf(result.measurements) };
    }),
  );
  const violations = outcomes.flatMap(({ name, result, growth }) =>
    [
      ...result.violations,
      ...(mostBytes(result) > MOST_BYTES ? [`memory reached ${megabytes(mostBytes(result))}`] : []),
      ...(growth ? judgeGrowth(growth) : []),
    ].map((violation) => `${name}: ${violation}`)
  );
  for (const { name, result, growth } of outcomes) say(`${name}: ${summary(result, growth)}`);
  say(violations.length === 0 ? "nothing was wrong" : `wrong:\n  ${violations.join("\n  ")}`);
  if (!Deno.env.get("CI")) {
    const exporters = Object.fromEntries(
      outcomes.map(({ name, result: { metrics: _, lies: __, ...result } }) => [name, result]),
    );
    const report = {
      date: new Date().toISOString(),
      command: `deno task soak ${seconds} --seed ${seed}`,
      exporters,
    };
    await Deno.writeTextFile(RESULTS, `${JSON.stringify(report, null, 2)}\n`);
  }
  return violations.length === 0 ? 0 : 1;
}

function parse(args: readonly string[]): { seconds: number; seed: number } {
  const rest = [...args];
  const at = rest.findIndex((arg) => arg === "--seed" || arg.startsWith("--seed="));
  const [flag = "", value] = at < 0 ? [] : rest.splice(at, rest[at] === "--seed" ? 2 : 1);
  const seed = at < 0 ? Math.floor(Math.random() * 2 ** 31) : Number(flag.split("=")[1] ?? value);
  const seconds = rest.length === 0 ? DEFAULT_SECONDS : Number(rest[0]);
  if (!Number.isInteger(seed) || seed < 0 || !(seconds > 0) || rest.length > 1) {
    throw new RangeError("Want: soak [SECONDS] [--seed N]");
  }
  return { seconds, seed };
}

function mostBytes({ measurements }: SoakResult): number {
  return Math.max(...measurements.map(({ anonymousBytes }) => anonymousBytes));
}

/** The first and the last third after warming up; undefined when that was too short to tell. */
function growthOf(measurements: readonly Measurement[]): Growth | undefined {
  const warm = measurements.filter(({ second }) => second >= WARM_UP_SECONDS);
  const third = Math.floor(warm.length / 3);
  if (third < 3) return undefined;
  return { first: medianOf(warm.slice(0, third)), last: medianOf(warm.slice(-third)) };
}

function medianOf(measurements: readonly Measurement[]): Measurement {
  const median = (key: keyof Measurement): number =>
    measurements.map((each) => each[key]).sort((left, right) => left - right)[measurements.length >> 1] ??
      NaN;
  return {
    second: median("second"),
    anonymousBytes: median("anonymousBytes"),
    usedBytes: median("usedBytes"),
    openFiles: median("openFiles"),
    series: median("series"),
  };
}

function judgeGrowth({ first, last }: Growth): string[] {
  const violations: string[] = [];
  if (last.usedBytes > first.usedBytes + GROWTH_BYTES) {
    violations.push(`memory in use grew from ${megabytes(first.usedBytes)} to ${megabytes(last.usedBytes)}`);
  }
  if (last.openFiles > first.openFiles + GROWTH_FILES) {
    violations.push(`open files grew from ${first.openFiles} to ${last.openFiles}`);
  }
  return violations;
}

function summary(
  { scrapes, compared, faults, measurements }: SoakResult,
  growth: Growth | undefined,
): string {
  const count = Object.values(faults).reduce((sum, each) => sum + each, 0);
  const [first, last] = growth ? [growth.first, growth.last] : [measurements[0], measurements.at(-1)];
  const range = (key: "openFiles" | "series"): string => `${first?.[key]} to ${last?.[key]}`;
  const memory = (key: "usedBytes" | "anonymousBytes"): string =>
    `${megabytes(first?.[key] ?? NaN)} to ${megabytes(last?.[key] ?? NaN)}`;
  return `${scrapes} scrapes, ${compared} values compared, ${count} faults; memory in use ${
    memory("usedBytes")
  }, ` +
    `anonymous ${memory("anonymousBytes")}, open files ${range("openFiles")}, series ${range("series")}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`soak: ${line}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
