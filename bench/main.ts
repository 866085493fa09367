/**
 * Runs benchmarks and writes their results: `deno task bench [NAME…]`, all without a name.
 *
 * Each `bench/<name>_bench.ts` exports a `bench` function; its result goes to `bench/results/<name>.json`.
 *
 * @module
 */
import { describeRun, type Findings, formatTable, type Report } from "./harness.ts";

const FOLDER = new URL("./", import.meta.url);

/** Names of all benchmarks. */
function benchmarks(): string[] {
  return [...Deno.readDirSync(FOLDER)]
    .map(({ name }) => name)
    .filter((name) => name.endsWith("_bench.ts"))
    .map((name) => name.replace(/_bench\.ts$/, ""))
    .sort();
}

async function main(args: readonly string[]): Promise<number> {
  const known = benchmarks();
  const unknown = args.find((name) => !known.includes(name));
  if (unknown) return say(`bench: Cannot run "${unknown}" as it must be one of ${known.join(", ")}\n`, 2);
  for (const name of args.length > 0 ? args : known) {
    const { bench } = await import(new URL(`${name}_bench.ts`, FOLDER).href) as {
      bench: () => Promise<Findings>;
    };
    const report: Report = { name, command: `deno task bench ${name}`, ...describeRun(), ...await bench() };
    await Deno.mkdir(new URL("results/", FOLDER), { recursive: true });
    await Deno.writeTextFile(new URL(`results/${name}.json`, FOLDER), `${JSON.stringify(report, null, 2)}\n`);
    say(`\n## ${name}\n\n${report.machine}; ${report.date}\n\n${formatTable(report)}\n`);
    for (const note of report.notes) say(`- ${note}\n`);
  }
  return 0;
}

function say(text: string, code = 0): number {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
