/**
 * Runs processes that may have no memory that is writable and executable (deny_write_execute.c).
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { runCc } from "./nvml_stub.ts";

const SOURCE = fromFileUrl(new URL("./deny_write_execute.c", import.meta.url));

/** The program that denies it; disposing of it removes the program. */
export class DenyWriteExecute implements Disposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Compiles it. */
  static async create(): Promise<DenyWriteExecute> {
    const denial = new DenyWriteExecute(await Deno.makeTempDir({ prefix: "deny-write-execute-" }));
    await runCc(["-O2", "-Wall", "-Wextra", "-Werror", "-o", denial.#program, SOURCE]);
    return denial;
  }

  get #program(): string {
    return `${this.#folder}/deny-write-execute`;
  }

  /** Words before a command. */
  get prefix(): string[] {
    return [this.#program];
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** The mappings of a process that are writable and executable, as /proc/PID/maps shows them. */
export function writableAndExecutable(pid: number): string[] {
  return Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n").filter((line) => /^\S+ .?wx/.test(line));
}
