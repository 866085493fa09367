/**
 * How fast counters rose lately: ffmpeg's own fps, speed and bitrate are averages since it began, and hide a
 * stop of a minute after an hour.
 *
 * @module
 */

/** How far back a window looks, in milliseconds. */
export const WINDOW_MS = 10_000;
/** Reports closer together than this share a place in the window, in milliseconds. */
const SPACING_MS = 450;
/** Places: a window's worth, its base and the one being written. */
const PLACES = Math.ceil(WINDOW_MS / SPACING_MS) + 2;
/** Least time that a report may be late before its absence lowers the rates, in milliseconds. */
const LEAST_GRACE_MS = 1_000;
/** Most, for jobs with a long `-stats_period`. */
const MOST_GRACE_MS = 120_000;

/** Counters at one moment; NaN where one is not known. */
export interface Counters {
  readonly frames: number;
  readonly mediaSeconds: number;
  readonly outputBytes: number;
}

/** How much counters rose, and in what time. */
export interface Rise extends Counters {
  /** Above 0. */
  readonly seconds: number;
}

const WIDTH = 4;

/** The last ten seconds of a job's counters, or those between two reports further apart. Its memory is bounded. */
export class RateWindow {
  /** Rows of time, frames, media seconds and bytes; used as a ring. */
  readonly #rows = new Float64Array(PLACES * WIDTH);
  #count = 0;
  #newest = -1;
  #lastMs = -Infinity;
  #graceMs: number | undefined;

  /**
   * Adds the counters as they were at a time, which must not be before the last one's.
   *
   * @param periodMs time since the report before, where the two were read at once
   */
  add(atMs: number, { frames, mediaSeconds, outputBytes }: Counters, periodMs?: number): void {
    const sinceLastMs = atMs > this.#lastMs && this.#count > 0 ? atMs - this.#lastMs : periodMs;
    // A report twice as late as the one before is still on its way.
    if (sinceLastMs !== undefined) {
      this.#graceMs = Math.max(LEAST_GRACE_MS, Math.min(2 * sinceLastMs, MOST_GRACE_MS));
    }
    this.#lastMs = atMs;
    const isCrowded = this.#count > 1 && atMs - this.#timeOf(1) < SPACING_MS;
    if (!isCrowded) {
      this.#newest = (this.#newest + 1) % PLACES;
      this.#count = Math.min(this.#count + 1, PLACES);
    }
    const row = this.#newest * WIDTH;
    this.#rows[row] = atMs;
    this.#rows[row + 1] = frames;
    this.#rows[row + 2] = mediaSeconds;
    this.#rows[row + 3] = outputBytes;
  }

  /**
   * How late a report may be before its absence means something, in milliseconds: twice the time between two; undefined
   * until that is known.
   */
  get graceMs(): number | undefined {
    return this.#graceMs;
  }

  /** The moment until which the counters are known: that of the last report, and a later one where one is missing. */
  knownUntilMs(nowMs: number): number {
    return Math.max(this.#lastMs, nowMs - (this.#graceMs ?? LEAST_GRACE_MS));
  }

  /** The rise over the window that ends now; undefined before the second report. */
  rise(nowMs: number): Rise | undefined {
    if (this.#count < 2) return undefined;
    const endMs = this.knownUntilMs(nowMs);
    let age = 1;
    while (age < this.#count - 1 && this.#timeOf(age) > endMs - WINDOW_MS) age++;
    // Silent for the whole window: nothing rose in it.
    if (this.#lastMs <= endMs - WINDOW_MS) age = 0;
    const seconds = age === 0 ? WINDOW_MS / 1000 : (endMs - this.#timeOf(age)) / 1000;
    if (!(seconds > 0)) return undefined;
    const newest = this.#newest * WIDTH;
    const base = this.#place(age) * WIDTH;
    const rise = (column: number): number =>
      (this.#rows[newest + column] ?? NaN) - (this.#rows[base + column] ?? NaN);
    return { seconds, frames: rise(1), mediaSeconds: rise(2), outputBytes: rise(3) };
  }

  #timeOf(age: number): number {
    return this.#rows[this.#place(age) * WIDTH] ?? NaN;
  }

  /** Where the report lies that is `age` places older than the newest. */
  #place(age: number): number {
    return (this.#newest - age + PLACES) % PLACES;
  }
}
