/**
 * Log lines on standard error, as logfmt or JSON.
 *
 * logfmt: https://pkg.go.dev/github.com/go-logfmt/logfmt
 *
 * @module
 */

/** How much a line matters, least first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];
/** How a line is written. */
export const LOG_FORMATS = ["logfmt", "json"] as const;
/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

/** Further values of a log line, by name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines of each level. */
export type Logger = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

/** Options of {@linkcode createLogger}. */
export interface LoggerOptions {
  /** Lines below this level are dropped. @default {"info"} */
  level?: LogLevel;
  /** @default {"logfmt"} */
  format?: LogFormat;
  /** Takes each line, its line feed included. @default standard error */
  write?: (line: string) => void;
  /** @default {Date.now} */
  wallClockMs?: () => number;
}

/** Returns a logger. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = "info", format = "logfmt", write = writeToStderr, wallClockMs = Date.now } = options;
  const least = LOG_LEVELS.indexOf(level);
  const encode = format === "json" ? encodeJson : encodeLogfmt;
  const at = (own: LogLevel) => (message: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(own) < least) return;
    const time = new Date(wallClockMs()).toISOString();
    write(`${encode({ time, level: own, msg: message, ...fields })}\n`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

const ENCODER = new TextEncoder();

function writeToStderr(line: string): void {
  try {
    Deno.stderr.writeSync(ENCODER.encode(line));
  } catch (error) {
    // Nobody reads the log any more (EPIPE), or its disk is full: measuring goes on.
    if (!(error instanceof Error)) throw error;
  }
}

function encodeJson(fields: LogFields): string {
  return JSON.stringify(
    fields,
    (_, value) => value instanceof Error || typeof value === "bigint" ? String(value) : value,
  );
}

function encodeLogfmt(fields: LogFields): string {
  return Object.entries(fields).map(([key, value]) => `${key}=${quote(value)}`).join(" ");
}

function quote(value: unknown): string {
  const text = typeof value === "object" && value !== null && !(value instanceof Error)
    ? JSON.stringify(value)
    : String(value);
  // deno-lint-ignore no-control-regex
  return text === "" || /[\s"=\\\u0000-\u001f\u007f]/.test(text) ? JSON.stringify(text) : text;
}
