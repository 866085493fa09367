/**
 * A job's own parameters, in the query of its progress URL or in the same form in its progress file's name:
 * `movie-7?encoder=libx264&width=1920&height=1080&duration=5400`.
 *
 * @module
 */

/** Longest job id and longest parameter value, in characters; what is beyond is cut off. */
export const MAX_TEXT_LENGTH = 128;

/** Parameters that go to `ffmpeg_job_info`, in its labels' order; any other parameter is ignored. */
export const INFO_PARAMETERS = [
  "encoder",
  "preset",
  "width",
  "height",
  "framerate",
  "duration",
  "target_speed",
  "pid",
] as const;

/** What a job is, by its own parameters. */
export interface JobDescription {
  /** Values of {@linkcode INFO_PARAMETERS}, cleaned; empty where not given or not usable. */
  readonly info: Readonly<Record<typeof INFO_PARAMETERS[number], string>>;
  /** Pixels of a frame, if the size is known. */
  readonly framePixels: number | undefined;
  /** Length of the whole output, in seconds. */
  readonly durationSeconds: number | undefined;
  /** Speed that the job must keep, in seconds of media per second. @default {1} */
  readonly targetSpeed: number;
  /** Time without progress after which the job counts as stalled, if it has its own, in milliseconds. */
  readonly stallAfterMs: number | undefined;
  /** What it should be encoded by: a class or an encoder of hardware, or `hardware`; empty where not given. */
  readonly expect: string;
}

// Letters of any script, no quotes and no backslash: an id must survive URLs, shells and file names.
const UNWANTED_REGEXP = /[^\p{L}\p{M}\p{N}_ .,:;@/+=~#()[\]-]/gu;

/** Cleans a text for use as a label: bounded, and what is no letter, digit or plain sign becomes `_`. */
export function cleanText(text: string): string {
  const plain = text.normalize("NFC").replace(UNWANTED_REGEXP, "_");
  return [...plain].slice(0, MAX_TEXT_LENGTH).join("").trim();
}

/** Reads a job's parameters; one that makes no sense counts as not given. */
export function describeJob(parameters: URLSearchParams): JobDescription {
  const text = (name: string): string => cleanText(parameters.get(name) ?? "");
  const number = (name: string, highest: number): number | undefined => {
    const given = text(name);
    const value = Number(given);
    return given !== "" && value > 0 && value <= highest ? value : undefined;
  };
  const plain = (value: number | undefined): string => value === undefined ? "" : String(value);
  const width = number("width", 65_536);
  const height = number("height", 65_536);
  const durationSeconds = number("duration", 1e9);
  const targetSpeed = number("target_speed", 1e6);
  const stallAfterSeconds = number("stall_after", 1e6);
  return {
    info: {
      encoder: text("encoder"),
      preset: text("preset"),
      width: plain(width),
      height: plain(height),
      framerate: text("framerate"),
      duration: plain(durationSeconds),
      target_speed: plain(targetSpeed),
      pid: plain(number("pid", 2 ** 31)),
    },
    framePixels: width && height ? width * height : undefined,
    durationSeconds,
    targetSpeed: targetSpeed ?? 1,
    stallAfterMs: stallAfterSeconds === undefined ? undefined : stallAfterSeconds * 1000,
    expect: text("expect"),
  };
}

/** Returns a job's own description, completed with what was found out about it. */
export function completeDescription(own: JobDescription, found: JobDescription): JobDescription {
  const info = INFO_PARAMETERS.map((name) => [name, own.info[name] || found.info[name]]);
  return {
    info: Object.fromEntries(info) as JobDescription["info"],
    framePixels: own.framePixels ?? found.framePixels,
    durationSeconds: own.durationSeconds ?? found.durationSeconds,
    targetSpeed: own.info.target_speed ? own.targetSpeed : found.targetSpeed,
    stallAfterMs: own.stallAfterMs ?? found.stallAfterMs,
    expect: own.expect || found.expect,
  };
}

/** Splits a progress file's name into the job's id and its parameters. */
export function parseFileName(name: string): { id: string; parameters: URLSearchParams } {
  const [id = "", ...query] = name.split("?");
  return { id: cleanText(id), parameters: new URLSearchParams(query.join("?")) };
}
