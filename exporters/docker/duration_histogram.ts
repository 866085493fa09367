/**
 * Counts how long things took, for a Prometheus histogram.
 *
 * @module
 */
import type { HistogramState } from "../../lib/exposition.ts";

/** Upper bounds of the buckets, in seconds: a listing takes milliseconds, statistics wait for a tick of 1 s. */
const BOUNDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10];

interface Counts {
  readonly buckets: number[];
  sum: number;
  count: number;
}

/** Durations since start, by key. */
export class DurationHistogram<K extends string> {
  readonly #counts = new Map<K, Counts>();

  /** Counts one duration, in seconds. */
  observe(key: K, seconds: number): void {
    let counts = this.#counts.get(key);
    if (!counts) this.#counts.set(key, counts = { buckets: BOUNDS.map(() => 0), sum: 0, count: 0 });
    const index = BOUNDS.findIndex((bound) => seconds <= bound);
    if (index >= 0) counts.buckets[index] = (counts.buckets[index] ?? 0) + 1;
    counts.sum += seconds;
    counts.count++;
  }

  /** The state of every key's histogram, by key. */
  states(): [K, HistogramState][] {
    return [...this.#counts].map(([key, { buckets, sum, count }]): [K, HistogramState] => {
      let below = 0;
      const cumulative = buckets.map((own, index) => [BOUNDS[index] ?? Infinity, below += own] as const);
      return [key, { buckets: cumulative, sum, count }];
    }).sort(([left], [right]) => left < right ? -1 : 1);
  }
}
