/**
 * Log lines on standard error, as logfmt or JSON.
 *
 * logfmt: https://pkg.go.dev/github.com/go-logfmt/logfmt
 *
 * @module
 */
import { LogLimit } from "./log_limit.ts";
import { writeToStderr } from "./log_queue.ts";

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
  /** How it is written. @default {"logfmt"} */
  format?: LogFormat;
  /** Takes each line, its line feed included. @default standard error, without ever waiting for its reader */
  write?: (line: string) => void;
  /** Unix time, in milliseconds. @default {Date.now} */
  wallClockMs?: () => number;
}

/** Longest value of a line, in characters; the rest is cut off. */
const MAX_VALUE_LENGTH = 1024;

/** Returns a logger. What clients and sources have a hand in can neither flood it nor act on a terminal. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = "info", format = "logfmt", write = writeToStderr, wallClockMs = Date.now } = options;
  const least = LOG_LEVELS.indexOf(level);
  const encode = format === "json" ? encodeJson : encodeLogfmt;
  const limit = new LogLimit(wallClockMs);
  const at = (own: LogLevel) => (message: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(own) < least) return;
    const suppressed = limit.admit(message);
    if (suppressed === undefined) return;
    const time = new Date(wallClockMs()).toISOString();
    const all = { time, level: own, msg: message, ...fields, ...(suppressed > 0 ? { suppressed } : {}) };
    write(`${encode(Object.entries(all).map(([name, value]) => [name, plain(value)]))}\n`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

type Plain = string | number | boolean | null;

/** A value as it may be written: a number, or a text of bounded length. */
function plain(value: unknown): Plain {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  const text = typeof value === "object" && !(value instanceof Error) ? JSON.stringify(value) : String(value);
  return text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}… (cut)` : text;
}

/** C1 controls, line separators, and what turns the direction of text: JSON leaves them as they are. */
const UNSEEN_REGEXP = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

function quote(value: Plain): string {
  return JSON.stringify(value).replace(
    UNSEEN_REGEXP,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function encodeJson(fields: readonly (readonly [string, Plain])[]): string {
  return `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${quote(value)}`).join(",")}}`;
}

function encodeLogfmt(fields: readonly (readonly [string, Plain])[]): string {
  return fields.map(([name, value]) => {
    const quoted = quote(value);
    const isBare = typeof value === "string" && /^[^\s"=\\]+$/.test(value) && quoted === `"${value}"`;
    return `${name}=${isBare ? value : quoted}`;
  }).join(" ");
}
