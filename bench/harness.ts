/**
 * What every benchmark here shares: servers side by side, taken in turn, medians of several rounds.
 *
 * Load comes from `wrk` (https://github.com/wg/wrk) on one connection; memory and CPU time from /proc.
 *
 * @module
 */

/** A server under measurement. */
export interface Target {
  readonly name: string;
  readonly url: string;
  readonly child: Deno.ChildProcess;
  /** From the start of the process to its first answer, in milliseconds. */
  readonly startMs: number;
}

/** How to start a {@linkcode Target}. */
export interface TargetCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly url: string;
  readonly env?: Record<string, string>;
}

/** What was measured of one target, by name of the quantity with its unit. */
export type Row = Record<string, number>;

/** What a benchmark found. */
export interface Findings {
  readonly versions: Readonly<Record<string, string>>;
  /** Rows by target; the first is what the others are compared with. */
  readonly rows: Readonly<Record<string, Row>>;
  readonly notes: readonly string[];
}

/** A benchmark's result, as it is printed and stored. */
export interface Report extends Findings {
  readonly name: string;
  /** The command that made it. */
  readonly command: string;
  readonly date: string;
  readonly machine: string;
}

/** Starts a server and waits for its first answer. @throws {Error} when there is none within 20 s */
export async function startTarget({ name, command, args, url, env = {} }: TargetCommand): Promise<Target> {
  const startedMs = performance.now();
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    env,
  }).spawn();
  while (true) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      return { name, url, child, startMs: performance.now() - startedMs };
    } catch (cause) {
      if (performance.now() - startedMs > 20_000) {
        throw new Error(`Cannot reach ${name} at ${url}`, { cause });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Ends a server. */
export async function stopTarget({ child }: Target): Promise<void> {
  child.kill("SIGKILL");
  await child.status;
}

const WRK_UNIT_US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000 };

/**
 * Loads a target on one connection, with further headers as `Name: value`: latency in microseconds, throughput,
 * CPU time per request.
 */
export async function load(target: Target, seconds: number, headers: readonly string[] = []): Promise<Row> {
  const before = cpuSeconds(target.child.pid);
  const { stdout } = await new Deno.Command("wrk", {
    args: [
      ...["-t1", "-c1", `-d${seconds}s`, "--latency"],
      ...headers.flatMap((header) => ["-H", header]),
      target.url,
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const quantile = (percent: string): number => {
    const [, value, unit] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(value) * (WRK_UNIT_US[unit ?? ""] ?? NaN);
  };
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${target.name} did not answer well: ${text}`);
  return {
    p50_us: quantile("50"),
    p99_us: quantile("99"),
    requests_per_second: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    cpu_us_per_request: (cpuSeconds(target.child.pid) - before) * 1e6 / requests,
  };
}

/** CPU time of a process so far, user and system, of threads that ended too, in seconds. */
export function cpuSeconds(pid: number): number {
  const [user = 0, system = 0] = Deno.readTextFileSync(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "").split(" ").slice(11, 13).map(Number);
  // In units of USER_HZ, which is 100 on every Linux that Deno runs on.
  return (user + system) / 100;
}

/** Memory of a process in megabytes: resident, its share of what it shares (proportional), anonymous. */
export function memory(pid: number): Row {
  const text = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const megabytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]) / 1000;
  return {
    resident_mb: megabytes("Rss"),
    proportional_mb: megabytes("Pss"),
    anonymous_mb: megabytes("Anonymous"),
  };
}

/** The median of each quantity over several rounds. */
export function medians(rounds: readonly Row[]): Row {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((row) => row[name] ?? NaN))]));
}

/** The middle value; of two middle ones the upper. */
export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? NaN;
}

const SETTLING_SECONDS = 10;
const IDLE_SECONDS = 60;

/** CPU that each target uses when nobody asks, in percent of a core, by its name. */
export async function idlePercents(targets: readonly Target[]): Promise<Record<string, number>> {
  await sleep(SETTLING_SECONDS);
  const before = targets.map(({ child }) => cpuSeconds(child.pid));
  await sleep(IDLE_SECONDS);
  return Object.fromEntries(targets.map(({ name, child }, index) => [
    name,
    (cpuSeconds(child.pid) - (before[index] ?? NaN)) / IDLE_SECONDS * 100,
  ]));
}

/** Waits. */
export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** What it takes to see a server as it is in use: a hundred scrapes, compressed as scrapers ask for them. */
export async function scrapeAHundredTimes({ url }: Target): Promise<void> {
  for (let index = 0; index < 100; index++) {
    // fetch asks for gzip.
    await (await fetch(url)).arrayBuffer();
  }
}

/**
 * Reads the targets' memory after a hundred scrapes, then loads them in turn, `rounds` times `seconds` each
 * after a warm-up, and reads their anonymous memory again.
 */
export async function compareUnderLoad(
  targets: readonly Target[],
  { rounds = 9, seconds = 2 }: { rounds?: number; seconds?: number } = {},
): Promise<Record<string, Row>> {
  const used = new Map<string, Row>();
  for (const target of targets) {
    await scrapeAHundredTimes(target);
    used.set(target.name, memory(target.child.pid));
  }
  const measured = new Map<string, Row[]>(targets.map(({ name }) => [name, []]));
  for (const target of targets) await load(target, 1);
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) measured.get(target.name)?.push(await load(target, seconds));
  }
  return Object.fromEntries(targets.map(({ name, child, startMs }) => [name, {
    ...medians(measured.get(name) ?? []),
    ...used.get(name),
    anonymous_after_load_mb: memory(child.pid).anonymous_mb ?? NaN,
    start_ms: startMs,
  }]));
}

/** Describes the machine and the date for a report. */
export function describeRun(): { date: string; machine: string } {
  const model = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "unknown CPU";
  const memoryGb = Math.round(Deno.systemMemoryInfo().total / 1e9);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${navigator.hardwareConcurrency} cores of ${model}, ${memoryGb} GB, Linux ${Deno.osRelease()}`,
  };
}

/** First line of what a program says of its version. */
export async function versionOf(command: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(command, { args }).output();
  const said = new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
  return said.trim().split("\n")[0] ?? "";
}

/** The table of a report: a line a target, each figure with its ratio to the first target's. */
export function formatTable(report: Report): string {
  const [first] = Object.values(report.rows);
  const columns = [...new Set(Object.values(report.rows).flatMap((row) => Object.keys(row)))];
  const cells = Object.entries(report.rows).map(([name, row]) => [
    name,
    ...columns.map((column) => {
      const value = row[column];
      if (value === undefined) return "";
      const reference = first?.[column];
      const ratio = row === first || !reference ? "" : ` (${(value / reference).toFixed(2)}×)`;
      return `${Number(value.toPrecision(4))}${ratio}`;
    }),
  ]);
  const lines = [["target", ...columns], ["---", ...columns.map(() => "---:")], ...cells];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}
