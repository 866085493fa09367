/**
 * Holds every exporter against its source's own account for a while: `deno task truth [SECONDS] [--seed N] [NAME...]`,
 * ten minutes by default.
 *
 * Meanwhile the sources move, the exporters are stopped and continued, their clocks are set and set right, and half
 * of the time the machine is busy. Fails when a value was not true a moment before, or when a metric that has an
 * account was never seen.
 *
 * @module
 */
import { Random } from "../support/random.ts";
import { changingLoad, judgeTruth, TRUTH_SUBJECTS } from "./run.ts";

const DEFAULT_SECONDS = 600;

const { seconds, seed, names } = parse(Deno.args);
say(`${seconds} seconds, seed ${seed}`);
const load = changingLoad();
const results = await Promise.all(
  names.map((name, index) => judgeTruth(name, { random: new Random(seed + index), seconds, say })),
);
load[Symbol.dispose]();
const wrong = results.flatMap((result, index) => result.wrong.map((what) => `${names[index]}: ${what}`));
for (const [index, { compared, scrapes, unjudged, metrics }] of results.entries()) {
  say(
    `${
      names[index]
    }: ${scrapes} pages, ${unjudged} of them not judged on a starved machine, ${compared} values of ${metrics.size} metrics`,
  );
}
say(wrong.length === 0 ? "nothing was untrue" : `untrue:\n  ${wrong.join("\n  ")}`);
Deno.exit(wrong.length === 0 ? 0 : 1);

function parse(args: readonly string[]): { seconds: number; seed: number; names: string[] } {
  const rest = [...args];
  const at = rest.indexOf("--seed");
  const seed = at < 0 ? Math.floor(Math.random() * 2 ** 31) : Number(rest.splice(at, 2)[1]);
  const seconds = /^\d/.test(rest[0] ?? "") ? Number(rest.shift()) : DEFAULT_SECONDS;
  const all = Object.keys(TRUTH_SUBJECTS);
  if (!Number.isInteger(seed) || !(seconds > 0) || rest.some((name) => !all.includes(name))) {
    throw new RangeError(`Want: truth [SECONDS] [--seed N] [${all.join("|")}]...`);
  }
  return { seconds, seed, names: rest.length > 0 ? rest : all };
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`truth: ${line}\n`));
}
