/**
 * Shows a library to one process where distributions put it, without touching this machine's folders.
 *
 * @module
 */
import { dirname, relative } from "@std/path";

/** Words to start a process with that sees the library. */
export interface ShownLibrary extends Disposable {
  readonly prefix: string[];
}

/**
 * Shows a library at `path`, and what else lies beside it, in a mount namespace. Folders that this machine lacks
 * are shown too.
 */
export function shownAt(path: string, library: string, ...besides: string[]): ShownLibrary {
  const layers = Deno.makeTempDirSync({ prefix: "gpu-library-" });
  let base = dirname(path);
  while (!isFolder(base)) base = dirname(base);
  const folder = `${layers}/upper/${relative(base, dirname(path))}`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.mkdirSync(`${layers}/work`);
  Deno.copyFileSync(library, `${folder}/libnvidia-ml.so.1`);
  for (const file of besides) Deno.copyFileSync(file, `${folder}/${file.slice(file.lastIndexOf("/") + 1)}`);
  const overlay = `lowerdir=${base},upperdir=${layers}/upper,workdir=${layers}/work`;
  const enter = `mount -t overlay overlay -o ${overlay} ${base} && exec "$@"`;
  return {
    prefix: ["unshare", "-m", "sh", "-c", enter, "sh"],
    [Symbol.dispose]: () => Deno.removeSync(layers, { recursive: true }),
  };
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
