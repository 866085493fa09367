/**
 * Reads a counter and the clock as one: how well the moment of a reading is known goes with it.
 *
 * A process may be stopped between reading the counter and reading the clock. On a busy machine that made a zone
 * of constant 30 W show 668 W over 100 ms. So the clock is read before and after, and a reading that took
 * too long is repeated.
 *
 * @module
 */

/** A look at a counter. */
export interface Reading {
  readonly energyMicrojoules: bigint;
  /** When, on a clock that never goes back and stands still while the machine is suspended. */
  readonly monotonicMs: number;
  /** By how much the moment may be earlier or later than `monotonicMs`. */
  readonly uncertaintyMs: number;
  readonly wallClockMs: number;
}

/** Options of {@linkcode readTimed}. */
export interface TimedReadingOptions {
  /** Time from one reading to the next. */
  intervalMs: number;
  /** A clock that never goes back. */
  monotonicMs: () => number;
  wallClockMs: () => number;
}

/** A reading may take this share of the interval: two of them make the interval uncertain by as much. */
const MAX_DURATION = 0.01;

/** After so many the machine is too busy, and the shortest has to do. */
const MAX_ATTEMPTS = 4;

/** Reads the counter, again if that took too long. @throws {Error} what `readMicrojoules` throws */
export function readTimed(readMicrojoules: () => bigint, options: TimedReadingOptions): Reading {
  let shortest = readOnce(readMicrojoules, options);
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
    if (2 * shortest.uncertaintyMs <= MAX_DURATION * options.intervalMs) break;
    const again = readOnce(readMicrojoules, options);
    if (again.uncertaintyMs < shortest.uncertaintyMs) shortest = again;
  }
  return shortest;
}

function readOnce(readMicrojoules: () => bigint, options: TimedReadingOptions): Reading {
  const beforeMs = options.monotonicMs();
  const energyMicrojoules = readMicrojoules();
  const wallClockMs = options.wallClockMs();
  const afterMs = options.monotonicMs();
  return {
    energyMicrojoules,
    monotonicMs: (beforeMs + afterMs) / 2,
    uncertaintyMs: (afterMs - beforeMs) / 2,
    wallClockMs,
  };
}
