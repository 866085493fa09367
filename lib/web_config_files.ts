/**
 * The files that a web configuration names, found without a YAML parser: a compiled exporter may read only these
 * before it loads one.
 *
 * Where this finds fewer than the parser does, the exporter reports the grant that is missing.
 *
 * @module
 */

/** A key at the start of a line or of a flow mapping's entry, and its value; else text in quotes, or a comment. */
const TOKEN_REGEXP =
  /(?:^|[{,])[ \t]*(?:cert|key|client_ca)_file[ \t]*:[ \t]+(?:"([^"\n]*)"|'([^'\n]*)'|([^\s,{}#"'][^\s,{}#]*))|"(?:[^"\\]|\\[^])*"|'[^']*'|(?:^|[ \t])#.*$/gm;

/** Paths of the certificates and keys that the configuration at `path` names; none where it cannot be read. */
export function webConfigFiles(path: string): string[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    // The exporter reports what is wrong with the file when it reads it.
    if (!(error instanceof Error)) throw error;
    return [];
  }
  const folder = path.replace(/[^/]*$/, "");
  return Array.from(text.matchAll(TOKEN_REGEXP), ([, double, single, plain]) => double ?? single ?? plain)
    .flatMap((file) => file ? [file.startsWith("/") ? file : `${folder}${file}`] : []);
}
