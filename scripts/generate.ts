/**
 * Writes the files, and the parts of files, that only repeat the exporters' manifests: `deno task generate`.
 *
 * A test fails where one of them is stale.
 *
 * @module
 */
import { GENERATED } from "./generate/files.ts";

/** The project's folder. */
const ROOT = new URL("../", import.meta.url);

/** A file whose content is not what it is generated to be. */
export interface StaleFile {
  readonly path: string;
  readonly content: string;
}

/** Every file that `deno task generate` would change. */
export async function staleFiles(): Promise<StaleFile[]> {
  const stale: StaleFile[] = [];
  for (const { path, generate } of GENERATED) {
    const before = readText(new URL(path, ROOT));
    const content = await generate(before ?? "");
    if (content !== before) stale.push({ path, content });
  }
  return stale;
}

function readText(path: URL): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  for (const { path, content } of await staleFiles()) {
    Deno.writeTextFileSync(new URL(path, ROOT), content);
    Deno.stderr.writeSync(new TextEncoder().encode(`generate: ${path}\n`));
  }
}
