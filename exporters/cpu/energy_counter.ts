/**
 * Adds up what an energy counter of the kernel shows, across its wraps, and refuses what cannot be true.
 *
 * The kernel's counter is a register of 32 bits in units of some 61 microjoules: at 200 W it starts again
 * from 0 every 22 minutes, on some processors every few minutes.
 * https://docs.kernel.org/power/powercap/powercap.html
 *
 * @module
 */
import type { Reading } from "./timed_reading.ts";

/** What is known about a zone's counter. */
export interface CounterBounds {
  /** Where it wraps; undefined when unknown. */
  readonly rangeMicrojoules: bigint | undefined;
  /** More than the zone can ever draw. */
  readonly maxWatts: number;
  /** How often it is meant to be read. */
  readonly intervalMs: number;
}

/**
 * Why the energy between two readings is not counted:
 * - `clock`: the machine was suspended or a clock was set, and the counter does not fit the time that passed
 * - `gap`: readings were missed, and the counter may have wrapped more than once meanwhile
 * - `implausible`: more energy than the zone can draw, as after a counter was set back
 * - `no_range`: the counter went back, and where it wraps is unknown
 */
export const REJECTIONS = ["clock", "gap", "implausible", "no_range"] as const;
/** One of {@linkcode REJECTIONS}. */
export type Rejection = typeof REJECTIONS[number];

/** What a counter has come to at one moment: a value that later readings do not change. */
export interface CounterState {
  /** Microjoules counted since the first reading. */
  readonly totalMicrojoules: bigint;
  /** Mean power between the last two readings; undefined when that is not known. */
  readonly watts: number | undefined;
  /** The largest mean power of an interval that ended in the last minute; undefined when none did. */
  readonly peakWatts: number | undefined;
  /** How often the kernel's counter started again from 0. */
  readonly wraps: number;
  /** How many readings were refused, by reason. */
  readonly rejected: Readonly<Record<Rejection, number>>;
}

/** How far the wall clock may run ahead of the monotonic one between two readings: more is a suspended machine. */
const CLOCK_SLACK_MS = 2000;

/** Some counters move only every now and then; a short interval is judged as if it had this length. */
const SHORTEST_JUDGED_MS = 1000;

/** How long a peak is remembered. */
const PEAK_WINDOW_MS = 60_000;

/** Power is published where the length of its interval is known this well, as a share of it. */
const MAX_UNCERTAINTY = 0.02;

/** The energy of one zone since the first reading. */
export class EnergyCounter {
  #totalMicrojoules = 0n;
  #wraps = 0;
  readonly #rejected: Record<Rejection, number> = { clock: 0, gap: 0, implausible: 0, no_range: 0 };
  #last: Reading | undefined;
  #watts: number | undefined;
  /** Intervals that may yet be the largest of the last minute: each smaller than the one before. */
  readonly #peaks: { readonly endMs: number; readonly watts: number }[] = [];

  /** The state at a moment, which decides how far back the peak reaches. */
  state(monotonicMs: number): CounterState {
    return {
      totalMicrojoules: this.#totalMicrojoules,
      watts: this.#watts,
      peakWatts: this.#peaks.find(({ endMs }) => endMs > monotonicMs - PEAK_WINDOW_MS)?.watts,
      wraps: this.#wraps,
      rejected: { ...this.#rejected },
    };
  }

  /** Forgets the last reading: the next one is a first one, as for a counter that vanished and came back. */
  restart(): void {
    this.#last = undefined;
    this.#watts = undefined;
  }

  /** Takes a reading. Returns the microjoules it added. */
  add(reading: Reading, bounds: CounterBounds): bigint {
    const last = this.#last;
    this.#last = reading;
    this.#watts = undefined;
    if (!last) return 0n;

    const step = measureStep(last, reading, bounds);
    if (typeof step === "string") {
      this.#rejected[step]++;
      return 0n;
    }
    this.#totalMicrojoules += step;
    if (reading.energyMicrojoules < last.energyMicrojoules) this.#wraps++;
    const elapsedMs = reading.monotonicMs - last.monotonicMs;
    if (last.uncertaintyMs + reading.uncertaintyMs <= MAX_UNCERTAINTY * elapsedMs) {
      this.#notePower(Number(step) / 1000 / elapsedMs, reading.monotonicMs);
    }
    return step;
  }

  #notePower(watts: number, endMs: number): void {
    this.#watts = watts;
    const peaks = this.#peaks;
    while (peaks[0] && peaks[0].endMs <= endMs - PEAK_WINDOW_MS) peaks.shift();
    while ((peaks.at(-1)?.watts ?? Infinity) <= watts) peaks.pop();
    peaks.push({ endMs, watts });
  }
}

/** The energy between two readings, or why it is unknown. */
function measureStep(last: Reading, reading: Reading, bounds: CounterBounds): bigint | Rejection {
  const elapsedMs = reading.monotonicMs - last.monotonicMs;
  if (elapsedMs <= 0) return "clock";
  // A clock that was set looks the same as a suspended machine. A counter that moved on as it would have
  // anyway is believed; one that went back may have been reset on the way, and is not taken for a wrap.
  const suspended = reading.wallClockMs - last.wallClockMs - elapsedMs > CLOCK_SLACK_MS;

  const range = bounds.rangeMicrojoules;
  const mostMicrojoules = bounds.maxWatts * Math.max(elapsedMs, SHORTEST_JUDGED_MS) * 1000;
  const missed = elapsedMs > 2 * bounds.intervalMs;
  if (missed && range !== undefined && mostMicrojoules >= Number(range)) return "gap";

  let step = reading.energyMicrojoules - last.energyMicrojoules;
  if (step < 0n) {
    if (suspended) return "clock";
    if (range === undefined) return "no_range";
    // The range is where it wraps to 0, by the kernel's description. The register has one raw unit more:
    // at most 61 microjoules too few are counted at a wrap, never one too many.
    step += range;
  }
  if (step < 0n || Number(step) > mostMicrojoules) return suspended ? "clock" : "implausible";
  return step;
}
