/**
 * Opens files in a folder that others may write to. Between a look at a path and its opening they can put a pipe there,
 * whose opening would wait for good, or a link that leads out of the folder: neither is read.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** An open plain file. */
export class PlainFile implements Disposable {
  readonly #descriptor: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /**
   * Opens the file that `Deno.lstatSync` has described; undefined where another one, or no plain file, has taken its
   * place.
   *
   * @throws {Error} one of `Deno.errors` when it cannot be opened
   */
  static open(path: string, { ino, dev }: Pick<Deno.FileInfo, "ino" | "dev">): PlainFile | undefined {
    // Deno.openSync knows no O_NONBLOCK, and node:fs of Deno 2.9 ignores O_NOFOLLOW.
    const file = new PlainFile(open(path));
    const found = fstatSync(file.#descriptor);
    if (found.isFile() && found.ino === ino && found.dev === dev) return file;
    file[Symbol.dispose]();
    return undefined;
  }

  /** Reads bytes from a position on; returns how many, 0 at the end. */
  read(buffer: Uint8Array, position: number): number {
    return readSync(this.#descriptor, buffer, 0, buffer.length, position);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    // Deno's own functions throw these for the same causes.
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new Deno.errors.NotFound(message, { cause: error });
    if (code === "EACCES") throw new Deno.errors.PermissionDenied(message, { cause: error });
    throw error;
  }
}
