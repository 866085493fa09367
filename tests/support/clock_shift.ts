/**
 * A wall clock that a test sets for one process: a library is preloaded into it (clock_shift.c). The monotonic
 * clock goes on as it did, as when an administrator or NTP sets the time.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { runCc } from "./nvml_stub.ts";

const SOURCE = fromFileUrl(new URL("./clock_shift.c", import.meta.url));

/** The clock; disposing of it removes its files. */
export class ClockShift implements Disposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Compiles the library. */
  static async create(): Promise<ClockShift> {
    const folder = await Deno.makeTempDir({ prefix: "clock-shift-" });
    await Deno.chmod(folder, 0o755);
    const clock = new ClockShift(folder);
    await runCc([
      "-O2",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-shared",
      "-fPIC",
      "-o",
      clock.#library,
      SOURCE,
      "-ldl",
    ]);
    return clock;
  }

  get #library(): string {
    return `${this.#folder}/clock_shift.so`;
  }

  /** The environment of a process that has this clock. */
  get env(): Record<string, string> {
    return { LD_PRELOAD: this.#library, CLOCK_SHIFT: `${this.#folder}/seconds` };
  }

  /** Sets the clock this far ahead of the true time. */
  set(seconds: number): void {
    Deno.writeTextFileSync(`${this.#folder}/next`, `${seconds}\n`);
    Deno.renameSync(`${this.#folder}/next`, `${this.#folder}/seconds`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
