/**
 * What the arguments of an ffmpeg command show of its encode. Only what is published or compared is kept of them:
 * they hold stream keys, passwords and paths.
 *
 * https://ffmpeg.org/ffmpeg.html#Options
 *
 * @module
 */
import { cleanText } from "./job_description.ts";
import { encoderClass, isHardware } from "./encoder_class.ts";

/** What a command shows. */
export interface Command {
  /** The encoder that it names for video, or else for all streams; empty where it leaves that to ffmpeg. */
  readonly encoder: string;
  /** Name of its progress file, the path before it left out. */
  readonly progressFile: string | undefined;
  /** The job_id of its progress URL. */
  readonly progressJobId: string | undefined;
  /** Equal for equal arguments, and nothing can be read back from it. */
  readonly digest: number;
  /** Whether it has ffmpeg write no status lines to a report before the last one. */
  readonly isSilent: boolean;
  /** Limits and offsets of the output's length; undefined where an option makes it unknowable. */
  readonly cut: Cut | undefined;
}

/** How a command shortens its input, in seconds. */
export interface Cut {
  readonly from: number;
  readonly longest: number;
}

const VIDEO_ENCODER_REGEXP = /^-(?:vcodec|(?:c|codec)(?::(?:v|V|0)(?::\d+)?)?)$/;
const SPECIFIC_REGEXP = /^-vcodec$|:/;
/** Options after which the output's length is not the input's. */
const LENGTH_UNKNOWN = new Set([
  ...["-to", "-sseof", "-stream_loop", "-shortest", "-fs", "-copyts", "-itsoffset", "-itsscale", "-loop"],
  ...["-vframes", "-frames", "-frames:v", "-filter_complex", "-lavfi", "-filter_complex_script"],
]);
/** Filters that change the pace or the length. */
const PACE_FILTERS_REGEXP = /setpts|atempo|trim|loop|select|tpad|minterpolate|concat/;
const FILTER_REGEXP = /^-(?:vf|af|filter(?::\S+)?)$/;
/** Levels below that of status lines. */
const LEVELS: Readonly<Record<string, number>> = { quiet: -8, panic: 0, fatal: 8, error: 16, warning: 24 };
const INFO_LEVEL = 32;
const TIME_REGEXP = /^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)(ms|us|s)?$/;

/** Reads a command's arguments, its own name left out. */
export function readCommand(args: readonly string[]): Command {
  let encoder = "";
  let isSpecific = false;
  let progress: string | undefined;
  let from: number | undefined;
  let longest = Infinity;
  let isCutKnown = true;
  let stats: string | undefined;
  let level = INFO_LEVEL;
  for (const [index, option] of args.entries()) {
    if (!option.startsWith("-")) continue;
    const value = args[index + 1] ?? "";
    if (option === "-i") {
      // What stood before an input chose its decoder.
      [encoder, isSpecific] = ["", false];
    } else if (VIDEO_ENCODER_REGEXP.test(option)) {
      const specific = SPECIFIC_REGEXP.test(option);
      // In a ladder a hardware encoder counts more than a software one: it is what can be missing.
      const weaker = specific === isSpecific && isHardware(encoderClass(encoder));
      if ((specific || !isSpecific) && !weaker) [encoder, isSpecific] = [cleanText(value), specific];
    } else if (option === "-progress") progress = value;
    else if (option === "-stats" || option === "-nostats") stats = option;
    else if (option === "-v" || option === "-loglevel") level = parseLevel(value);
    else if (option === "-ss") from = from === undefined ? parseTime(value) : NaN;
    else if (option === "-t") longest = Math.min(longest, parseTime(value));
    else if (LENGTH_UNKNOWN.has(option)) isCutKnown = false;
    else if (FILTER_REGEXP.test(option) && PACE_FILTERS_REGEXP.test(value)) isCutKnown = false;
  }
  return {
    encoder,
    ...readProgress(progress ?? ""),
    digest: digestOf(args),
    // Asked for explicitly, the line goes to standard error alone where the log has no place for it.
    isSilent: stats === "-nostats" || (stats === "-stats" && level < INFO_LEVEL),
    cut: isCutKnown && !Number.isNaN((from ?? 0) + longest) ? { from: from ?? 0, longest } : undefined,
  };
}

function readProgress(target: string): Pick<Command, "progressFile" | "progressJobId"> {
  if (/^https?:/i.test(target)) {
    const jobId = URL.parse(utf8Of(target))?.searchParams.get("job_id");
    return { progressFile: undefined, progressJobId: jobId ? cleanText(jobId) : undefined };
  }
  // "pipe:1", "tcp://…"
  const isFile = /^file:|^[^:]*(?:\/|$)/.test(target) && target !== "" && target !== "-";
  return {
    progressFile: isFile ? utf8Of(target.replace(/^file:/, "").replace(/^.*\//s, "")) : undefined,
    progressJobId: undefined,
  };
}

/** Arguments hold a character for each byte; names of files and jobs are compared as UTF-8. */
function utf8Of(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}

/** Parses a loglevel: a number or a name, which flags may precede (`repeat+level+error`). */
function parseLevel(text: string): number {
  const name = text.slice(text.lastIndexOf("+") + 1);
  return LEVELS[name] ?? (Number(name) || INFO_LEVEL);
}

/** Parses `HH:MM:SS.m`, `MM:SS` or seconds, as ffmpeg's options take them; NaN for anything else. */
function parseTime(text: string): number {
  const [, hours = "0", minutes = "0", seconds, unit] = TIME_REGEXP.exec(text) ?? [];
  const value = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return unit === "ms" ? value / 1e3 : unit === "us" ? value / 1e6 : value;
}

/** A digest of 53 bits (cyrb53); it has to keep apart the few commands of one worker, not to resist an attacker. */
function digestOf(args: readonly string[]): number {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  const add = (code: number): void => {
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  };
  for (const arg of args) {
    for (let at = 0; at < arg.length; at++) add(arg.charCodeAt(at));
    add(0);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** Splits `/proc/PID/cmdline`, whose arguments each end in a zero byte, and drops the program's name. */
export function splitCmdline(text: string): string[] {
  const args = text.split("\0");
  // What follows the last zero is nothing, or a command line that was overwritten in place or cut.
  args.pop();
  return args.slice(1);
}

/**
 * Splits the command line of a report, and drops the program's name. ffmpeg quotes what is not plain and escapes
 * what a shell would read (`dump_argument` in fftools/cmdutils.c).
 */
export function splitReportCommand(line: string): string[] {
  const args: string[] = [];
  for (let at = 0; at <= line.length; at++) {
    const start = at;
    if (line[at] !== '"') {
      at = line.indexOf(" ", at);
      if (at < 0) at = line.length;
      args.push(line.slice(start, at));
      continue;
    }
    at++;
    while (at < line.length && line[at] !== '"') at += line[at] === "\\" ? 2 : 1;
    args.push(
      line.slice(start + 1, at).replace(
        /\\(?:x([\da-f]{2})|(.))/g,
        (_, hex, plain) => hex ? String.fromCharCode(parseInt(hex, 16)) : plain,
      ),
    );
    at++;
  }
  return args.slice(1);
}
