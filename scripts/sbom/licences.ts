/**
 * Which licences may be in a compiled exporter: those that ask for no more than to be named.
 *
 * @module
 */

const ALLOWED: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "Unlicense",
  "Zlib",
]);

/**
 * Whether an SPDX expression allows what is done here: of an OR one side must be allowed, of an AND both.
 * https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
 */
export function isAllowedLicence(expression: string): boolean {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;

  function either(): boolean {
    let allowed = both();
    while (tokens[at] === "OR") {
      at++;
      // Both sides are read before they are judged.
      const other = both();
      allowed ||= other;
    }
    return allowed;
  }

  function both(): boolean {
    let allowed = single();
    while (tokens[at] === "AND") {
      at++;
      const other = single();
      allowed &&= other;
    }
    return allowed;
  }

  function single(): boolean {
    const token = tokens[at++] ?? "";
    if (token !== "(") return ALLOWED.has(token);
    const allowed = either();
    return tokens[at++] === ")" && allowed;
  }

  return either() && at === tokens.length;
}
