/**
 * What ffmpeg says of an encode at one moment, however it was told, and how its values are written.
 *
 * @module
 */

/** Most quantizers that are kept of one report. */
export const MAX_QUANTIZERS = 32;

/** The quantizer of one video stream. */
export interface Quantizer {
  /** Index of the output file, empty where ffmpeg's log does not say. */
  readonly output: string;
  /** Index of the stream in that file; `v0`, `v1`, … for the video streams of a log line. */
  readonly stream: string;
  /** As given by ffmpeg; negative where the encoder does not say. */
  readonly quantizer: number;
}

/** One report of ffmpeg. What it did not say, or said to be `N/A`, is undefined. */
export interface ProgressBlock {
  /** Frames of the first video stream. */
  readonly frames?: number | undefined;
  readonly duplicatedFrames?: number | undefined;
  readonly droppedFrames?: number | undefined;
  /** Size of the first output. */
  readonly outputBytes?: number | undefined;
  /** Time reached in the output, in seconds; may be negative at first. */
  readonly mediaSeconds?: number | undefined;
  /** Wall clock since the encode began, in seconds; only ffmpeg 7 and later say it, in the log. */
  readonly encodingSeconds?: number | undefined;
  /** Average since the encode began; 0 during the first second. */
  readonly averageFps?: number | undefined;
  /** Average since the encode began, seconds of media per second. */
  readonly averageSpeed?: number | undefined;
  /** Average since the encode began. */
  readonly averageBytesPerSecond?: number | undefined;
  readonly quantizers: readonly Quantizer[];
  /** Whether it is the last one: `progress=end`, `Lsize=`. It does not say that the encode succeeded. */
  readonly final: boolean;
}

/** A {@linkcode ProgressBlock} being read. */
export type MutableProgressBlock =
  & { -readonly [K in keyof Omit<ProgressBlock, "quantizers">]: ProgressBlock[K] }
  & { quantizers: Quantizer[] };

const NUMBER_REGEXP = /^-?\d+(?:\.\d*)?(?:e[+-]?\d+)?$/;
const CLOCK_REGEXP = /^(-?)(\d+):(\d\d):(\d\d(?:\.\d*)?)$/;

/** Parses a number as C's printf writes it; undefined for anything else and for one beyond 2^53. */
export function parseNumber(text: string): number | undefined {
  if (!NUMBER_REGEXP.test(text)) return undefined;
  const value = Number(text);
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** Parses `00:01:30.50`, or plain seconds as old versions wrote, to seconds. */
export function parseClock(text: string): number | undefined {
  const [, sign, hours, minutes, seconds] = CLOCK_REGEXP.exec(text) ?? [];
  if (hours === undefined) return parseNumber(text);
  const value = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  if (value > Number.MAX_SAFE_INTEGER) return undefined;
  return sign ? -value : value;
}
