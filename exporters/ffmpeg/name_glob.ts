/**
 * Patterns for the names of files: `*` stands for any characters, `?` for one.
 *
 * @module
 */

const SPECIAL_REGEXP = /[.+^${}()|[\]\\]/g;

/**
 * Parses a pattern such as `FFmpeg.*.log`.
 *
 * @throws {RangeError} when it names a folder: only the names of one folder are matched
 */
export function parseNameGlob(text: string): RegExp {
  if (text.includes("/")) throw new RangeError('must match names within the folder, such as "FFmpeg.*.log"');
  const pattern = text.replace(SPECIAL_REGEXP, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${pattern}$`, "s");
}
