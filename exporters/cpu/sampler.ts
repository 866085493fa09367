/**
 * Reads every zone of a powercap tree at a steady interval, so that all who ask see the same figures.
 *
 * Zones that appear or vanish are followed by walking the tree again every tenth time, and at once while
 * something is missing.
 *
 * @module
 */
import { join } from "@std/path";
import { type Problem, SourceError } from "../../lib/collector.ts";
import { EnergyCounter } from "./energy_counter.ts";
import { describeFailure } from "./failures.ts";
import { zonesCountedOnce } from "./node_zones.ts";
import { EnergyFile, walkPowercap, type Zone } from "./powercap.ts";

/** A zone after a sample. */
export interface SampledZone {
  readonly zone: Zone;
  readonly counter: EnergyCounter;
}

/** What the last sample found. */
export interface Sample {
  readonly monotonicMs: number;
  readonly durationSeconds: number;
  /** How many zones the tree has, readable or not. */
  readonly discovered: number;
  /** The zones that could be read. */
  readonly zones: readonly SampledZone[];
  readonly problems: readonly Problem[];
  /** Sum of the zones counted once; undefined while one of them cannot be read. */
  readonly node: { readonly microjoules: bigint; readonly watts: number | undefined } | undefined;
}

/** Options of {@linkcode PowercapSampler}. */
export interface PowercapSamplerOptions {
  /** Time from one sample to the next. @default {1000} */
  intervalMs?: number;
  /** A clock that never goes back. @default {() => performance.now()} */
  monotonicMs?: () => number;
  /** @default {Date.now} */
  wallClockMs?: () => number;
  /** Opens a zone's counter. @default {(path) => new EnergyFile(path)} */
  openCounter?: (path: string) => CounterFile;
}

/** What the sampler needs of an {@linkcode EnergyFile}. */
export type CounterFile = Pick<EnergyFile, "identity" | "read"> & Disposable;

/** The tree is walked again every so many samples. */
const SAMPLES_PER_WALK = 10;

/** How long a zone that vanished is told as a problem, and the node's totals are withheld. */
const GONE_TOLD_MS = 5 * 60_000;

/** More than any processor package draws (some 500 W in 2025, for a moment twice that), and than a whole board. */
const MAX_ZONE_WATTS = 2000;
const MAX_PSYS_WATTS = 5000;

interface Entry extends SampledZone {
  file: CounterFile | undefined;
  /** Identity of the file of the last reading. */
  readFrom: string | undefined;
  failure: { readonly error: unknown; readonly problem: Problem } | undefined;
}

/** Samples the zones of one tree. */
export class PowercapSampler {
  readonly #root: string;
  readonly #intervalMs: number;
  readonly #monotonicMs: () => number;
  readonly #wallClockMs: () => number;
  readonly #openCounter: (path: string) => CounterFile;
  /** Zones of the last walk, by path. */
  #entries = new Map<string, Entry>();
  /** Counters by path and name; they outlive their zone, for zones come back. */
  readonly #counters = new Map<string, EnergyCounter>();
  /** Zones that vanished, by path. */
  readonly #gone = new Map<string, { zone: Zone; untilMs: number }>();
  #closed: readonly Problem[] = [];
  #rootProblem: Problem | undefined;
  /** The zones that make up the node's totals. */
  #counted: ReadonlySet<Zone> = new Set();
  /** Whether the tree has them all. */
  #isCountedPresent = false;
  #nodeMicrojoules = 0n;
  #samplesToWalk = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #latest: Sample;

  constructor(root: string, options: PowercapSamplerOptions = {}) {
    this.#root = root;
    this.#intervalMs = options.intervalMs ?? 1000;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#wallClockMs = options.wallClockMs ?? Date.now;
    this.#openCounter = options.openCounter ?? ((path) => new EnergyFile(path));
    this.#latest = this.sample();
  }

  /** The last sample; taken now if the timer is late. */
  get latest(): Sample {
    const late = this.#monotonicMs() - this.#latest.monotonicMs > 2 * this.#intervalMs;
    return late ? this.sample() : this.#latest;
  }

  /** Samples at the interval until stopped. */
  start(): void {
    this.#timer ??= setInterval(() => {
      // After a stall the timer may fire just behind a sample that a scrape asked for: so short an interval
      // would say nothing about power.
      if (this.#monotonicMs() - this.#latest.monotonicMs >= this.#intervalMs / 2) this.sample();
    }, this.#intervalMs);
  }

  /** Ends sampling and closes the files. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const entry of this.#entries.values()) closeFile(entry);
    this.#entries.clear();
  }

  /** Reads all zones now. */
  sample(): Sample {
    const startedMs = this.#monotonicMs();
    if (this.#samplesToWalk-- <= 0) this.#walk();
    const zones: SampledZone[] = [];
    let nodeWatts: number | undefined = 0;
    let isNodeWhole = this.#isCountedPresent;
    for (const entry of this.#entries.values()) {
      const added = this.#read(entry);
      const isCounted = this.#counted.has(entry.zone);
      if (isCounted) this.#nodeMicrojoules += added;
      if (entry.failure) {
        isNodeWhole &&= !isCounted;
        continue;
      }
      zones.push(entry);
      const watts = entry.counter.watts;
      if (isCounted) {
        nodeWatts = watts === undefined || nodeWatts === undefined ? undefined : nodeWatts + watts;
      }
    }
    this.#latest = {
      monotonicMs: startedMs,
      durationSeconds: (this.#monotonicMs() - startedMs) / 1000,
      discovered: this.#entries.size,
      zones,
      problems: this.#problems(),
      node: isNodeWhole ? { microjoules: this.#nodeMicrojoules, watts: nodeWatts } : undefined,
    };
    return this.#latest;
  }

  /** Brings the list of zones up to date. Zones that stay keep their counter, with a file opened afresh. */
  #walk(): void {
    this.#samplesToWalk = SAMPLES_PER_WALK - 1;
    const before = this.#entries;
    this.#entries = new Map();
    this.#closed = [];
    this.#rootProblem = undefined;
    try {
      const { zones, closed } = walkPowercap(this.#root);
      for (const zone of zones) this.#entries.set(zone.path, this.#enter(zone, before.get(zone.path)));
      this.#closed = closed.map(({ path, error }) =>
        describeFailure(`Cannot look for zones in "${path}"`, join(this.#root, path), error)
      );
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.#rootProblem = { reason: error.reason, message: error.message };
    }
    if (this.#rootProblem) this.#samplesToWalk = 0;
    for (const entry of before.values()) this.#leave(entry);
    this.#chooseCounted();
  }

  /** Chooses what the node's totals are made of. A zone that has just vanished is still missed. */
  #chooseCounted(): void {
    const now = this.#monotonicMs();
    for (const [path, { untilMs }] of this.#gone) {
      if (untilMs <= now) this.#gone.delete(path);
    }
    const gone = [...this.#gone.values()].map(({ zone }) => zone);
    const present = [...this.#entries.values()].map(({ zone }) => zone);
    const counted = new Set(zonesCountedOnce([...present, ...gone]));
    this.#counted = counted;
    this.#isCountedPresent = counted.size > 0 && this.#closed.length === 0 &&
      !gone.some((zone) => counted.has(zone));
  }

  #enter(zone: Zone, before: Entry | undefined): Entry {
    this.#gone.delete(zone.path);
    const key = JSON.stringify([zone.path, zone.name]);
    let counter = this.#counters.get(key);
    if (!counter) this.#counters.set(key, counter = new EnergyCounter());
    const stays = before?.counter === counter;
    if (!stays) counter.restart();
    return {
      zone,
      counter,
      file: undefined,
      readFrom: stays ? before.readFrom : undefined,
      failure: undefined,
    };
  }

  /** Lets go of an entry of the walk before. */
  #leave(entry: Entry): void {
    closeFile(entry);
    if (this.#entries.has(entry.zone.path)) return;
    entry.counter.restart();
    this.#gone.set(entry.zone.path, { zone: entry.zone, untilMs: this.#monotonicMs() + GONE_TOLD_MS });
  }

  /** Reads one zone, or notes why that is impossible. Returns the microjoules that were added. */
  #read(entry: Entry): bigint {
    const { zone, counter } = entry;
    const path = join(this.#root, zone.path, "energy_uj");
    try {
      entry.file ??= this.#openCounter(path);
      const energyMicrojoules = entry.file.read();
      const monotonicMs = this.#monotonicMs();
      // Another file under the same path is another counter, also when its zone looks the same.
      if (entry.readFrom !== entry.file.identity) counter.restart();
      entry.readFrom = entry.file.identity;
      entry.failure = undefined;
      return counter.add({ energyMicrojoules, monotonicMs, wallClockMs: this.#wallClockMs() }, {
        rangeMicrojoules: zone.rangeMicrojoules,
        maxWatts: zone.name.startsWith("psys") ? MAX_PSYS_WATTS : MAX_ZONE_WATTS,
        intervalMs: this.#intervalMs,
      });
    } catch (error) {
      const problem = describeFailure(`Cannot read zone "${zone.path}"`, path, error);
      entry.failure = { error, problem };
      // A zone that went and came back is a new one, whatever its counter says.
      if (problem.reason === "gone") {
        entry.readFrom = undefined;
        this.#samplesToWalk = 0;
      }
      closeFile(entry);
      return 0n;
    }
  }

  #problems(): Problem[] {
    if (this.#rootProblem) return [this.#rootProblem];
    const gone = [...this.#gone.keys()].map((path) => ({
      reason: "gone",
      message:
        `Zone "${path}" is gone: its driver was unloaded or its processor taken offline; the node's totals ` +
        `are withheld for five minutes`,
    }));
    return [...this.#closed, ...this.#zoneProblems(), ...gone];
  }

  /** A problem for each zone that cannot be read; one in all where every zone is refused. */
  #zoneProblems(): Problem[] {
    const failures = [...this.#entries.values()].map(({ failure }) => failure).filter((failure) =>
      failure !== undefined
    );
    const [first] = failures;
    const isAll = failures.length > 1 && failures.length === this.#entries.size;
    if (first && isAll && failures.every(({ problem }) => problem.reason === "permission")) {
      return [describeFailure(`Cannot read any of the ${failures.length} zones`, this.#root, first.error)];
    }
    return failures.map(({ problem }) => problem);
  }
}

function closeFile(entry: Entry): void {
  entry.file?.[Symbol.dispose]();
  entry.file = undefined;
}
