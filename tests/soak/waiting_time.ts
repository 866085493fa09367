/**
 * How long a process was ready to run and was not let, by the kernel's own account: on a busy machine its values are
 * as much older.
 *
 * https://docs.kernel.org/scheduler/sched-stats.html (/proc/PID/schedstat)
 *
 * @module
 */

/** What of the past is looked at, in milliseconds. */
const WINDOW_MS = 5_000;

/** Follows a process. */
export class WaitingTime {
  readonly #pid: number;
  readonly #past: { readonly atMs: number; readonly waits: ReadonlyMap<string, number> }[] = [];

  constructor(pid: number) {
    this.#pid = pid;
    this.#past.push(this.#look());
  }

  /** How long its threads waited within the last seconds, one after the other, in milliseconds. */
  get lateMs(): number {
    const now = this.#look();
    this.#past.push(now);
    while ((this.#past[1]?.atMs ?? Infinity) < now.atMs - WINDOW_MS) this.#past.shift();
    const before = this.#past[0]?.waits;
    return [...now.waits].reduce((sum, [thread, waitedMs]) => sum + waitedMs - (before?.get(thread) ?? 0), 0);
  }

  #look(): { atMs: number; waits: ReadonlyMap<string, number> } {
    const waits = new Map<string, number>();
    for (const { name } of Deno.readDirSync(`/proc/${this.#pid}/task`)) {
      try {
        // Nanoseconds on the processor, nanoseconds of waiting for it, turns.
        const [, waited] = Deno.readTextFileSync(`/proc/${this.#pid}/task/${name}/schedstat`).split(" ");
        waits.set(name, Number(waited) / 1e6);
      } catch (error) {
        // The thread has just ended.
        if (!(error instanceof Deno.errors.NotFound) && !isGone(error)) throw error;
      }
    }
    return { atMs: performance.now(), waits };
  }
}

/** The kernel's ESRCH, of a file that was opened in time. */
function isGone(error: unknown): boolean {
  return error instanceof Error && /os error 3\)/.test(error.message);
}
