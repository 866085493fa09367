/**
 * How many lines a log takes: the same message, and all together, so many times a minute.
 *
 * @module
 */

const PERIOD_MS = 60_000;
/** Lines of one message in a minute. */
export const MAX_PER_MESSAGE = 30;
/** Lines in a minute: with values of 1 KB, less than a megabyte. */
export const MAX_PER_MINUTE = 300;

/** Decides line by line. */
export class LogLimit {
  readonly #nowMs: () => number;
  #periodStartMs = -Infinity;
  #lines = 0;
  /** Lines by message within this period. */
  #counts = new Map<string, number>();
  #suppressed = 0;

  /** Sets it up; nothing runs yet. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Whether the line may be written: how many lines were suppressed before it, undefined when it may not. */
  admit(message: string): number | undefined {
    const nowMs = this.#nowMs();
    // A clock that was set back begins a new period, too.
    if (!(nowMs - this.#periodStartMs < PERIOD_MS && nowMs >= this.#periodStartMs)) {
      this.#periodStartMs = nowMs;
      this.#lines = 0;
      this.#counts = new Map();
    }
    const count = this.#counts.get(message) ?? 0;
    if (count >= MAX_PER_MESSAGE || this.#lines >= MAX_PER_MINUTE) {
      this.#suppressed++;
      return undefined;
    }
    this.#lines++;
    this.#counts.set(message, count + 1);
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
