/**
 * The last five minutes of the series that the page charts, so that a page that is opened is not empty.
 *
 * Remembers what was read and when, and reads nothing itself: without scrapes there is nothing to remember.
 *
 * @module
 */
import type { CollectorRunner } from "./collector.ts";
import type { Labels, Snapshot } from "./exposition.ts";

/** How far back it reaches, in milliseconds. */
const SPAN_MS = 300_000;
/** How often it looks whether something was read, in milliseconds. */
const PERIOD_MS = 2000;
const POINTS = SPAN_MS / PERIOD_MS;
/** Series that are remembered; of a machine with more, those that are listed first. */
const MAX_SERIES = 200;

/** What `/page/history.json` answers. */
export interface HistoryReport {
  /** Age of each reading, oldest first, in milliseconds. */
  readonly ages_ms: readonly number[];
  /** The value at each reading; null where the series was absent. */
  readonly series: readonly { readonly labels: Labels; readonly values: readonly (number | null)[] }[];
}

/** Options of {@linkcode History}. */
export interface HistoryOptions {
  /** Clock that never goes back, in milliseconds. @default {() => performance.now()} */
  readonly monotonicMs?: () => number;
}

/** Remembers one metric's series, at most 200 of them and 150 readings of each: some 150 KB. */
export class History implements Disposable {
  readonly #metric: string;
  readonly #runners: readonly CollectorRunner[];
  readonly #monotonicMs: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #timesMs: number[] = [];
  /** Values by the series' labels, as JSON; NaN where it was absent. */
  readonly #series = new Map<string, Float32Array>();
  /** The snapshots last looked at: the same again are no new reading. */
  #seen: readonly Snapshot[] = [];

  /** Sets it up; nothing runs yet. */
  constructor(metric: string, runners: readonly CollectorRunner[], options: HistoryOptions = {}) {
    this.#metric = metric;
    this.#runners = runners;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#timer = setInterval(() => this.look(), PERIOD_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Remembers the last reading, unless it is known. */
  look(): void {
    const snapshots = this.#runners.flatMap((runner) => runner.status.snapshots);
    if (snapshots.every((snapshot, index) => snapshot === this.#seen[index])) return;
    this.#seen = snapshots;
    this.#add(snapshots.flatMap((snapshot) => valuesOf(snapshot, this.#metric)));
  }

  /** What is remembered now. */
  report(): HistoryReport {
    const nowMs = this.#monotonicMs();
    const first = this.#timesMs.findIndex((timeMs) => nowMs - timeMs <= SPAN_MS);
    if (first < 0) return { ages_ms: [], series: [] };
    const count = this.#timesMs.length;
    return {
      ages_ms: this.#timesMs.slice(first).map((timeMs) => Math.round(nowMs - timeMs)),
      series: Array.from(this.#series, ([labels, values]) => ({
        labels: JSON.parse(labels),
        values: Array.from(
          values.subarray(first, count),
          (value) => Number.isNaN(value) ? null : rounded(value),
        ),
      })),
    };
  }

  #add(values: readonly { readonly labels: Labels; readonly value: number }[]): void {
    if (this.#timesMs.length === POINTS) this.#forgetOldest();
    const position = this.#timesMs.push(this.#monotonicMs()) - 1;
    for (const { labels, value } of values) {
      const key = JSON.stringify(labels);
      let series = this.#series.get(key);
      if (!series) {
        if (this.#series.size === MAX_SERIES) continue;
        this.#series.set(key, series = new Float32Array(POINTS).fill(NaN));
      }
      series[position] = value;
    }
  }

  #forgetOldest(): void {
    this.#timesMs.shift();
    for (const [key, values] of this.#series) {
      values.copyWithin(0, 1);
      values[POINTS - 1] = NaN;
      if (values.every(Number.isNaN)) this.#series.delete(key);
    }
  }
}

/** To the digits that a 32-bit number holds. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

function valuesOf(snapshot: Snapshot, name: string): readonly { labels: Labels; value: number }[] {
  for (const [metric, values] of snapshot.families) {
    if (metric.name === name) return values;
  }
  return [];
}
