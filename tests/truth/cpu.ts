/**
 * The cpu exporter on zones whose energy is a function of the moment at which it is read.
 *
 * @module
 */
import { RAPL_METRICS } from "../../exporters/cpu/metrics.ts";
import type { Subject } from "../soak/subjects.ts";
import type { ExporterProcess } from "../support/exporter_process.ts";
import type { Random } from "../support/random.ts";
import { type RigOptions, startOnRig } from "../support/rigs/rig.ts";
import { ScheduledPower, type ScheduledZone } from "../support/scheduled_power.ts";
import type { Row } from "./row.ts";
import { createSubject, type Source } from "./subject.ts";

const ZONES: readonly ScheduledZone[] = [
  { path: "intel-rapl/intel-rapl:0", name: "package-0", watts: 0 },
  { path: "intel-rapl/intel-rapl:0/intel-rapl:0:0", name: "core", watts: 0 },
  { path: "intel-rapl/intel-rapl:0/intel-rapl:0:1", name: "dram", watts: 0 },
  { path: "intel-rapl/intel-rapl:1", name: "package-1", watts: 0 },
];
/** Those that make up the machine. */
const NODE = ZONES.filter(({ name }) => name !== "core");
const INTERVAL_MS = 500;
/** How long a power lasts: an interval has one power or two. */
const STRETCH_MS = [2_000, 4_000] as const;
/** From the writing of a schedule until it holds. */
const AHEAD_MS = 500;
const PEAK_MS = 60_000;

interface Stretch {
  readonly fromMs: number;
  readonly watts: ReadonlyMap<ScheduledZone, number>;
}

class CpuSource implements Source {
  readonly #power: ScheduledPower;
  /** Newest last. */
  #stretches: Stretch[] = [];
  #joules = new Map<ScheduledZone, number>(ZONES.map((zone) => [zone, 0]));
  #countedMs = 0;

  constructor(power: ScheduledPower, readonly exporter: ExporterProcess) {
    this.#power = power;
  }

  static async create(options: RigOptions): Promise<CpuSource> {
    const power = await ScheduledPower.create(ZONES);
    const env = { ...power.env, ...options.env };
    env.LD_PRELOAD = `${power.env.LD_PRELOAD}:${options.env?.LD_PRELOAD}`;
    const args = [`--powercap=${power.root}`, `--interval=${INTERVAL_MS}ms`];
    return new CpuSource(power, await startOnRig("cpu", args, { ...options, env }));
  }

  churn(random: Random): void {
    const nowMs = Date.now();
    const last = this.#stretches.at(-1)?.fromMs ?? 0;
    if (nowMs < last + random.int(...STRETCH_MS)) return;
    this.#add(nowMs + AHEAD_MS, () => random.int(10, 90));
  }

  rest(): void {
    this.#add(Date.now() + AHEAD_MS, () => 0);
  }

  #add(fromMs: number, wattsOf: () => number): void {
    const watts = new Map(ZONES.map((zone) => [zone, wattsOf()]));
    this.#stretches.push({ fromMs, watts });
    this.#power.schedule(fromMs, (zone) => watts.get(zone) ?? 0);
  }

  /** Energy of a zone until now, in joules. */
  joules(zone: ScheduledZone): number {
    const nowMs = Date.now();
    this.#count(nowMs);
    return this.#joules.get(zone) ?? 0;
  }

  #count(nowMs: number): void {
    for (const [index, { fromMs, watts }] of this.#stretches.entries()) {
      const toMs = Math.min(nowMs, this.#stretches[index + 1]?.fromMs ?? Infinity);
      const ms = Math.max(0, toMs - Math.max(fromMs, this.#countedMs));
      for (const [zone, each] of watts) {
        this.#joules.set(zone, (this.#joules.get(zone) ?? 0) + each * ms / 1000);
      }
    }
    this.#countedMs = nowMs;
    const kept = this.#stretches.findLastIndex(({ fromMs }) => fromMs < nowMs - 2 * PEAK_MS);
    this.#stretches = this.#stretches.slice(Math.max(0, kept));
  }

  /** Least and most power of these zones together within the last milliseconds, in watts. */
  watts(zones: readonly ScheduledZone[], withinMs = 0): readonly [least: number, most: number] {
    const nowMs = Date.now();
    const sums = this.#stretches.filter(({ fromMs }, index) =>
      fromMs <= nowMs && (this.#stretches[index + 1]?.fromMs ?? Infinity) >= nowMs - withinMs
    ).map(({ watts }) => zones.reduce((sum, zone) => sum + (watts.get(zone) ?? 0), 0));
    return sums.length === 0 ? [0, 0] : [Math.min(...sums), Math.max(...sums)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exporter[Symbol.asyncDispose]();
    this.#power[Symbol.dispose]();
  }
}

const PATH = ["path"] as const;
const AGAINST = "energy that is a function of the moment of the read";
const READING = "of the last interval: anything between the powers of its moments";
const POWER = {
  against: AGAINST,
  why: `${READING}, and 2.5 %: HELP admits 2`,
  isBetween: true,
  // The interval and the one before the reading.
  maxAgeMs: 3 * INTERVAL_MS,
  tolerance: { relative: 0.025 },
  mayBeAbsent: true,
} as const;

/** Metrics of the cpu exporter. */
export const CPU_ROWS: readonly Row<CpuSource>[] = [
  {
    metric: RAPL_METRICS.energy,
    against: AGAINST,
    why: "1 mJ: both are rounded; a step is omitted when the clock is set",
    labels: PATH,
    isBetween: true,
    isLossy: true,
    tolerance: { absolute: 1e-3 },
    account: (source) => ZONES.map((zone) => [[zone.path], source.joules(zone)]),
  },
  {
    metric: RAPL_METRICS.nodeEnergy,
    against: AGAINST,
    why: "1 mJ: both are rounded; a step is omitted when the clock is set",
    isBetween: true,
    isLossy: true,
    tolerance: { absolute: 1e-3 },
    account: (source) => [[[], NODE.reduce((sum, zone) => sum + source.joules(zone), 0)]],
  },
  {
    ...POWER,
    metric: RAPL_METRICS.power,
    labels: PATH,
    account: (source) => ZONES.map((zone) => [[zone.path], source.watts([zone])]),
  },
  {
    ...POWER,
    metric: RAPL_METRICS.nodePower,
    account: (source) => [[[], source.watts(NODE)]],
  },
  {
    ...POWER,
    metric: RAPL_METRICS.powerPeak,
    why: "2.5 %; between the least and the most power of the last minute",
    labels: PATH,
    account: (source) => ZONES.map((zone) => [[zone.path], source.watts([zone], PEAK_MS + 5_000)]),
  },
  { metric: RAPL_METRICS.available, against: "a tree that can be read: 1", account: () => [[[], 1]] },
  {
    metric: RAPL_METRICS.zonesDiscovered,
    against: "the zones of the tree",
    account: () => [[[], ZONES.length]],
  },
  {
    metric: RAPL_METRICS.wraps,
    against: "counters far from their end: 0",
    labels: PATH,
    account: () => ZONES.map(({ path }) => [[path], 0]),
  },
  {
    metric: RAPL_METRICS.rejected,
    because: "a clock that is set costs a step or none; tests/cpu/energy_counter_test.ts has every reason",
  },
  { metric: RAPL_METRICS.powerLimit, because: "a constant of the tree: tests/cpu/golden_test.ts" },
  { metric: RAPL_METRICS.powerLimitWindow, because: "a constant of the tree: tests/cpu/golden_test.ts" },
  { metric: RAPL_METRICS.enabled, because: "a constant of the tree: tests/cpu/golden_test.ts" },
];

/** Starts it. */
export function cpuSubject(): Promise<Subject> {
  return createSubject({
    name: "cpu",
    sources: ["powercap", "http"],
    rows: CPU_ROWS,
    maxAgeMs: INTERVAL_MS + 100,
    create: CpuSource.create,
  });
}
