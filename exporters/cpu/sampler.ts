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
import { type CounterState, EnergyCounter } from "./energy_counter.ts";
import { describeFailure, describeUnloaded } from "./failures.ts";
import { zonesCountedOnce } from "./node_zones.ts";
import { EnergyFile, walkPowercap, type Zone } from "./powercap.ts";
import { type CounterFile, ZoneReader } from "./zone_reader.ts";

/** A zone, and what its counter had come to by the sample. */
export interface SampledZone extends CounterState {
  readonly zone: Zone;
}

/** What one sample found. Later samples leave it as it is. */
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

/** The tree is walked again every so many samples. */
const SAMPLES_PER_WALK = 10;

/** How long a zone that vanished is reported as a problem, and the node's totals are withheld. */
const GONE_REPORTED_MS = 5 * 60_000;

/** Samples the zones of one tree. */
export class PowercapSampler {
  readonly #root: string;
  readonly #intervalMs: number;
  readonly #monotonicMs: () => number;
  readonly #wallClockMs: () => number;
  readonly #openCounter: (path: string) => CounterFile;
  /** Readers of the zones of the last walk, by path. */
  #readers = new Map<string, ZoneReader>();
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
      // is too short for power.
      if (this.#monotonicMs() - this.#latest.monotonicMs >= this.#intervalMs / 2) this.sample();
    }, this.#intervalMs);
  }

  /** Ends sampling and closes the files. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const reader of this.#readers.values()) reader[Symbol.dispose]();
    this.#readers.clear();
  }

  /** Reads all zones now. */
  sample(): Sample {
    const startedMs = this.#monotonicMs();
    if (this.#samplesToWalk-- <= 0) this.#walk();
    const zones: SampledZone[] = [];
    let nodeWatts: number | undefined = 0;
    let isNodeWhole = this.#isCountedPresent;
    for (const reader of this.#readers.values()) {
      const added = reader.read();
      const isCounted = this.#counted.has(reader.zone);
      if (isCounted) this.#nodeMicrojoules += added;
      if (reader.problem) {
        isNodeWhole &&= !isCounted;
        if (reader.problem.reason === "gone") this.#samplesToWalk = 0;
        continue;
      }
      const state = reader.counter.state(startedMs);
      zones.push({ zone: reader.zone, ...state });
      if (isCounted) nodeWatts = add(nodeWatts, state.watts);
    }
    this.#latest = {
      monotonicMs: startedMs,
      durationSeconds: (this.#monotonicMs() - startedMs) / 1000,
      discovered: this.#readers.size,
      zones,
      problems: this.#problems(),
      node: isNodeWhole ? { microjoules: this.#nodeMicrojoules, watts: nodeWatts } : undefined,
    };
    return this.#latest;
  }

  /** Brings the list of zones up to date. */
  #walk(): void {
    this.#samplesToWalk = SAMPLES_PER_WALK - 1;
    const before = this.#readers;
    this.#readers = new Map();
    this.#closed = [];
    this.#rootProblem = undefined;
    let closedPaths: string[] = [];
    try {
      const { zones, closed } = walkPowercap(this.#root);
      for (const zone of zones) this.#readers.set(zone.path, this.#readerOf(zone, before.get(zone.path)));
      closedPaths = closed.map(({ path }) => path);
      this.#closed = closed.map(({ path, error }) =>
        describeFailure(`Cannot look for zones in "${path}"`, join(this.#root, path), error)
      );
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const isUnloaded = error.reason === "empty" && this.#counters.size > 0;
      const { reason, message } = error;
      this.#rootProblem = isUnloaded ? describeUnloaded(this.#root) : { reason, message };
      this.#samplesToWalk = 0;
    }
    const kept = new Set(this.#readers.values());
    for (const reader of before.values()) {
      if (kept.has(reader)) continue;
      reader[Symbol.dispose]();
      const { zone } = reader;
      const isHidden = closedPaths.some((path) => `${zone.path}/`.startsWith(`${path}/`));
      if (isHidden || this.#readers.has(zone.path)) continue;
      this.#gone.set(zone.path, { zone, untilMs: this.#monotonicMs() + GONE_REPORTED_MS });
    }
    this.#chooseCounted();
  }

  /** The reader that the zone had, or a new one where the zone is new or another took its place. */
  #readerOf(zone: Zone, before: ZoneReader | undefined): ZoneReader {
    this.#gone.delete(zone.path);
    if (before?.zone.name === zone.name) {
      before.renew(zone);
      return before;
    }
    const key = JSON.stringify([zone.path, zone.name]);
    let counter = this.#counters.get(key);
    if (!counter) this.#counters.set(key, counter = new EnergyCounter());
    return new ZoneReader(zone, {
      root: this.#root,
      counter,
      openCounter: this.#openCounter,
      monotonicMs: this.#monotonicMs,
      wallClockMs: this.#wallClockMs,
      intervalMs: this.#intervalMs,
    });
  }

  /** Chooses what the node's totals are made of. A zone that has just vanished is still missed. */
  #chooseCounted(): void {
    const now = this.#monotonicMs();
    for (const [path, { untilMs }] of this.#gone) {
      if (untilMs <= now) this.#gone.delete(path);
    }
    const gone = [...this.#gone.values()].map(({ zone }) => zone);
    const present = [...this.#readers.values()].map(({ zone }) => zone);
    const counted = new Set(zonesCountedOnce([...present, ...gone]));
    this.#counted = counted;
    this.#isCountedPresent = counted.size > 0 && this.#closed.length === 0 &&
      !gone.some((zone) => counted.has(zone));
  }

  #problems(): Problem[] {
    if (this.#rootProblem) return [this.#rootProblem];
    const gone = [...this.#gone.keys()].map((path) => ({
      reason: "gone",
      message: `Zone "${path}" is gone: its driver was unloaded or its processor taken offline`,
    }));
    return [...this.#closed, ...this.#zoneProblems(), ...gone];
  }

  /** A problem for each zone that cannot be read; one in all where every zone is refused. */
  #zoneProblems(): Problem[] {
    const readers = [...this.#readers.values()];
    const [first] = readers;
    if (first && readers.length > 1 && readers.every(({ problem }) => problem?.reason === "permission")) {
      return [describeFailure(`Cannot read any of the ${readers.length} zones`, this.#root, first.error)];
    }
    return readers.map(({ problem }) => problem).filter((problem) => problem !== undefined);
  }
}

function add(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left + right;
}
