/**
 * Reading of JSON that may be anything: what is not there, or not of the wanted kind, is undefined.
 *
 * @module
 */

/** Longest text that is published as a label, in UTF-16 units. */
const MAX_TEXT_LENGTH = 1024;

/** An object of unknown content. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The value if it is an object. */
export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as JsonObject
    : undefined;
}

/** The value's entry if both are objects. */
export function childOf(value: unknown, key: string): JsonObject | undefined {
  return objectOf(objectOf(value)?.[key]);
}

/** The value if it is a number that a measurement can have: not negative, and what 64 bits hold. */
export function amountOf(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= 2 ** 64 ? value : undefined;
}

/** The value if it is a text that is not empty, no longer than a label of a metric should be. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? shorten(value, MAX_TEXT_LENGTH) : undefined;
}

/** The text's beginning, for a message: somebody else wrote it, and it can be of any length. */
export function shorten(text: string, maxLength = 300): string {
  return text.length > maxLength ? `${text.slice(0, maxLength).toWellFormed()}…` : text;
}

/** A time such as `2026-11-23T16:49:50.099080913Z` in milliseconds; the zero time of Go is none. */
export function timeMsOf(value: unknown): number | undefined {
  if (typeof value !== "string" || value.startsWith("0001-")) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}
