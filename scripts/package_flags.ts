/**
 * The flags that `deno task setup` wrote: where Deno finds libraries, and which lock file holds for them.
 *
 * @module
 */
const FOLDER = new URL("../.setup/", import.meta.url);

/**
 * The flags for a set of libraries: an exporter's name, or `tests`. Where it has none of its own, those of all.
 *
 * @throws {Deno.errors.NotFound} before `deno task setup` ran
 */
export function packageFlags(name = ""): string[] {
  return Deno.readTextFileSync(new URL(flagsFile(name), FOLDER)).trim().split(/\s+/).filter(Boolean);
}

/** The name of the file with these flags. */
export function flagsFile(name: string): string {
  try {
    const imports = name === "tests" ? "../tests/imports.json" : `../exporters/${name}/imports.json`;
    return name !== "" && Deno.statSync(new URL(imports, FOLDER)).isFile ? `flags-${name}` : "flags";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "flags";
    throw error;
  }
}
