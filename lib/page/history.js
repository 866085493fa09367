/**
 * The last five minutes of the charted series, from the exporter's own memory at first and from each reading on.
 *
 * @module
 */

/** How far back the charts reach, and the least they span, in milliseconds. */
export const SPAN_MS = 300_000;
const LEAST_SPAN_MS = 30_000;
/** A longer pause between two readings is drawn as a gap: scrapers come every 15 seconds. */
const GAP_MS = 20_000;

/** Series by name, each with its labels and its points `[time in ms, value]`; null: absent at that time. */
export class History {
  series = new Map();
  #name;
  nowMs = 0;
  #startMs = Infinity;

  /** `nameOf` makes a series' name of its labels. */
  constructor(nameOf) {
    this.#name = nameOf;
  }

  /** Adds one reading; a known series that it lacks gets a gap. */
  add(timeMs, samples) {
    this.nowMs = Math.max(this.nowMs, timeMs);
    this.#startMs = Math.min(this.#startMs, timeMs);
    const seen = new Set();
    for (const { labels, value } of samples) {
      const name = this.#name(labels);
      seen.add(name);
      if (!this.series.has(name)) this.series.set(name, { labels, points: [] });
      this.series.get(name).points.push([timeMs, value]);
    }
    for (const [name, { points }] of this.series) {
      if (!seen.has(name)) points.push([timeMs, null]);
      while (points.length > 0 && points[0][0] < this.nowMs - SPAN_MS) points.shift();
      if (!seen.has(name) && points.every(([, value]) => value === null)) this.series.delete(name);
    }
  }

  /** What the time axis spans now, in milliseconds. */
  get spanMs() {
    return Math.min(Math.max(this.nowMs - this.#startMs, LEAST_SPAN_MS), SPAN_MS);
  }

  /** Where a time lies on the axis: 1 is now, 0 the oldest shown. */
  share(timeMs) {
    return 1 - (this.nowMs - timeMs) / this.spanMs;
  }
}

/** The highest value of many series: more than a call can take as arguments. */
export function highestOf(series) {
  let highest = 1e-9;
  for (const points of series) {
    for (const [, value] of points) highest = Math.max(highest, value ?? 0);
  }
  return highest;
}

/** An SVG path through points, broken where a value is missing. */
export function pathOf(points, x, y) {
  let path = "";
  let previousMs = -Infinity;
  for (const [timeMs, value] of points) {
    if (value === null) {
      previousMs = -Infinity;
      continue;
    }
    path += `${timeMs - previousMs <= GAP_MS ? "L" : "M"}${x(timeMs).toFixed(1)} ${y(value).toFixed(1)}`;
    previousMs = timeMs;
  }
  return path;
}
