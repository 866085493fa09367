/**
 * How long a run has lasted, and when it began, by what ffmpeg reports and by the file that it writes.
 *
 * @module
 */
import type { ProgressBlock } from "./progress_block.ts";

/** Longest that a run may take to open its inputs, in milliseconds: ffmpeg's averages do not hold that time. */
const OPENING_MS = 60_000;
/** How far a file may be younger than its run is by the averages, in milliseconds. */
const TOLERANCE_MS = 1_000;
/** How exactly the times of files compare with ours, in milliseconds. */
const CLOCK_TOLERANCE_MS = 60;
/** Half of the last digit of `fps=` in a report of -progress. */
const FPS_ROUNDING = 0.005;
/** Digits of `speed=`. */
const SPEED_DIGITS = 3;

/** How long a run has lasted, in seconds, and what rounding leaves open. */
export interface RunTime {
  readonly seconds: number;
  readonly least: number;
  readonly most: number;
}

/** What limits when a run began; all times are in milliseconds by the board's clock. */
export interface StartHints {
  /** When it was first heard of. */
  readonly heardMs: number;
  /** It cannot have begun earlier; undefined where nothing is known of that. */
  readonly sinceMs?: number | undefined;
  /** When its file was created, which may have been for an earlier run. */
  readonly bornMs?: number | undefined;
}

/** When a run began. A file's birth is exact where it can be that of this run. */
export function startOfRun(
  { heardMs, sinceMs, bornMs }: StartHints,
  block: ProgressBlock | undefined,
  atMs: number,
): number {
  const run = block && runTimeOf(block);
  if (bornMs !== undefined && isBirthOfRun(bornMs, sinceMs, run, atMs)) return bornMs;
  const startMs = run ? Math.min(heardMs, atMs - 1000 * run.seconds) : heardMs;
  return Math.max(startMs, sinceMs ?? -Infinity);
}

function isBirthOfRun(
  bornMs: number,
  sinceMs: number | undefined,
  run: RunTime | undefined,
  atMs: number,
): boolean {
  if (bornMs > atMs + CLOCK_TOLERANCE_MS) return false;
  if (sinceMs !== undefined) return bornMs >= sinceMs - CLOCK_TOLERANCE_MS;
  if (!run) return true;
  const ageMs = atMs - bornMs;
  return ageMs >= 1000 * run.least - TOLERANCE_MS && ageMs <= 1000 * run.most + OPENING_MS;
}

/** How long a run has lasted by its own account: its averages are since it began; undefined in its first second. */
export function runTimeOf(block: ProgressBlock): RunTime | undefined {
  const { encodingSeconds, frames, averageFps, fpsRounding = FPS_ROUNDING, mediaSeconds, averageSpeed } =
    block;
  if (encodingSeconds !== undefined) {
    return { seconds: encodingSeconds, least: encodingSeconds, most: encodingSeconds };
  }
  const speedRounding = averageSpeed
    ? 10 ** (Math.floor(Math.log10(averageSpeed)) + 1 - SPEED_DIGITS) / 2
    : 0;
  const known = [
    quotient(frames, averageFps, fpsRounding),
    quotient(mediaSeconds, averageSpeed, speedRounding),
  ];
  // The one that rounding leaves more exact.
  return known.filter((run) => run !== undefined).sort((left, right) =>
    left.most - left.least - right.most + right.least
  )[0];
}

function quotient(
  sum: number | undefined,
  average: number | undefined,
  rounding: number,
): RunTime | undefined {
  if (!sum || !average || sum < 0 || average <= rounding) return undefined;
  return { seconds: sum / average, least: sum / (average + rounding), most: sum / (average - rounding) };
}
