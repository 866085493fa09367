/**
 * One report of an encode, by -progress or in the log, and how its values are written.
 *
 * @module
 */

/** Most quantizers that are kept of one report. */
export const MAX_QUANTIZERS = 32;

/** The quantizer of one video stream. */
export interface Quantizer {
  /** Index of the output file, empty in a log line, which does not name it. */
  readonly output: string;
  /** Index of the stream in that file; `v0`, `v1`, … for the video streams of a log line. */
  readonly stream: string;
  /** As given by ffmpeg; negative where the encoder does not report it. */
  readonly quantizer: number;
}

/** One report of ffmpeg. What it left out or gave as `N/A` is undefined. */
export interface ProgressBlock {
  /** Frames of the first video stream. */
  readonly frames?: number | undefined;
  readonly duplicatedFrames?: number | undefined;
  readonly droppedFrames?: number | undefined;
  /** Size of the first output. */
  readonly outputBytes?: number | undefined;
  /** Time reached in the output, in seconds; may be negative at first. */
  readonly mediaSeconds?: number | undefined;
  /** Wall clock since the encode began, in seconds; only the log of ffmpeg 7 and later has it. */
  readonly encodingSeconds?: number | undefined;
  /** Average since the encode began; 0 during the first second. */
  readonly averageFps?: number | undefined;
  /** Half of its last digit, where it is not 0.005. */
  readonly fpsRounding?: number;
  /** Average since the encode began, seconds of media per second. */
  readonly averageSpeed?: number | undefined;
  /** Average since the encode began. */
  readonly averageBytesPerSecond?: number | undefined;
  readonly quantizers: readonly Quantizer[];
  /** Whether it is the last one: `progress=end`, `Lsize=`. It does not mean that the encode succeeded. */
  readonly final: boolean;
}

/** A {@linkcode ProgressBlock} being read. */
export type MutableProgressBlock =
  & { -readonly [K in keyof Omit<ProgressBlock, "quantizers">]: ProgressBlock[K] }
  & { quantizers: Quantizer[] };

/** Returns a report without values. Every field is there from the start, so that all have one shape. */
export function emptyBlock(): MutableProgressBlock {
  return {
    final: false,
    quantizers: [],
    frames: undefined,
    duplicatedFrames: undefined,
    droppedFrames: undefined,
    outputBytes: undefined,
    mediaSeconds: undefined,
    encodingSeconds: undefined,
    averageFps: undefined,
    averageSpeed: undefined,
    averageBytesPerSecond: undefined,
  };
}

/** Keeps out what `Number` accepts and printf does not write: nothing at all, `0x10`, `Infinity`. */
const NUMBER_REGEXP = /^ *-?\d[\d.e+-]*$/;
const CLOCK_REGEXP = /^ *(-?)(\d+):(\d\d):(\d\d(?:\.\d*)?)$/;
/** Nothing that ffmpeg measures is smaller but 0, and what is derived from the values stays finite. */
const LEAST_VALUE = 1e-9;

/** Parses a number as C's printf writes it, after any spaces; undefined for anything else and beyond 2^53. */
export function parseNumber(text: string): number | undefined {
  const value = NUMBER_REGEXP.test(text) ? Number(text) : NaN;
  const size = Math.abs(value);
  return size === 0 || (size >= LEAST_VALUE && size <= Number.MAX_SAFE_INTEGER) ? value : undefined;
}

/** Parses `00:01:30.50`, or plain seconds as old versions wrote, to seconds. */
export function parseClock(text: string): number | undefined {
  const [, sign, hours, minutes, seconds] = CLOCK_REGEXP.exec(text) ?? [];
  if (hours === undefined) return parseNumber(text);
  const value = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  if (value > Number.MAX_SAFE_INTEGER) return undefined;
  return sign ? -value : value;
}

const BITRATE_UNIT = "kbits/s";

/** Parses `127.4kbits/s` to bytes per second. */
export function parseBitrate(text: string): number | undefined {
  if (!text.endsWith(BITRATE_UNIT)) return undefined;
  const kilobits = parseNumber(text.slice(0, -BITRATE_UNIT.length));
  return kilobits === undefined ? undefined : kilobits * 125;
}

/** Parses `1.01x`. */
export function parseSpeed(text: string): number | undefined {
  return text.endsWith("x") ? parseNumber(text.slice(0, -1)) : undefined;
}
