/**
 * Classifies what ended an ffmpeg run, from its own words: only the class is kept, as the words hold paths and URLs.
 *
 * Texts: `av_strerror` (libavutil/error.c), `strerror` of the C library, fftools/ffmpeg*.c of 4.3 to 9.0.
 *
 * @module
 */

/** Classes of what ends a run, in the order of {@linkcode RUN_ERRORS}. */
export type RunError = typeof RUN_ERRORS[number];
/** All of {@linkcode RunError}. */
export const RUN_ERRORS = [
  "arguments",
  "disk_full",
  "encoder",
  "invalid_input",
  "memory",
  "network",
  "not_found",
  "other",
  "output_closed",
  "permission",
  "signal",
] as const;

const CLASSES: Readonly<Record<string, RunError>> = {
  "Address family not supported by protocol": "network",
  "Broken pipe": "output_closed",
  "Cannot allocate memory": "memory",
  "Cannot assign requested address": "network",
  "Connection refused": "network",
  "Connection reset by peer": "network",
  "Connection timed out": "network",
  "Decoder not found": "invalid_input",
  "Demuxer not found": "invalid_input",
  "Disk quota exceeded": "disk_full",
  "Encoder not found": "encoder",
  "Filter not found": "arguments",
  "Immediate exit requested": "signal",
  "Input/output error": "network",
  "Invalid argument": "arguments",
  "Invalid data found when processing input": "invalid_input",
  "Is a directory": "not_found",
  "Muxer not found": "arguments",
  "Name or service not known": "network",
  "Network is unreachable": "network",
  "No route to host": "network",
  "No space left on device": "disk_full",
  "No such device": "not_found",
  "No such file or directory": "not_found",
  "Not a directory": "not_found",
  "Operation not permitted": "permission",
  "Option not found": "arguments",
  "Permission denied": "permission",
  "Protocol not found": "arguments",
  "Read-only file system": "permission",
  "Temporary failure in name resolution": "network",
};
/** ` …: Connection refused`, ` … (No space left on device)`, ` …: Server returned 404 Not Found`. */
const TAIL_REGEXP = /(?:: |\()([A-Z][A-Za-z/ -]{7,48})\)?$/;
const SERVER_REGEXP = /: (?:Server returned \d[\dX]{2} |HTTP error \d{3})/;
const ENCODER_REGEXP =
  /Error (?:while opening encoder|initializing output stream|selecting an encoder)|Unknown encoder|No capable devices found|Device creation failed|Cannot load lib(?:cuda|nvidia-encode)/;
const ARGUMENTS_REGEXP = /^Error (?:splitting the argument list|parsing options|parsing global options)/;
const MEMORY_REGEXP = /Cannot allocate memory|Out of memory/i;

/** The class of an error that a line names; undefined where it names none. */
export function errorOfLine(line: string): RunError | undefined {
  if (ENCODER_REGEXP.test(line)) return "encoder";
  if (ARGUMENTS_REGEXP.test(line)) return "arguments";
  if (MEMORY_REGEXP.test(line)) return "memory";
  if (SERVER_REGEXP.test(line)) return "network";
  return CLASSES[TAIL_REGEXP.exec(line)?.[1] ?? ""];
}
