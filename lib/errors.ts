/**
 * The text of whatever was thrown.
 *
 * @module
 */

/** Its message or, where it is no error, the value as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
