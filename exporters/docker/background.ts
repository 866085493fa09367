/**
 * Repeats a task at an interval in the background: never twice at once, and with a pause after one that
 * took long.
 *
 * @module
 */

/** Options of {@linkcode repeat}. */
export interface RepeatOptions {
  /** From the start of one run to the start of the next, in milliseconds. */
  readonly intervalMs: number;
  /** Called this long before each run but the first. */
  readonly before?: { readonly leadMs: number; readonly call: () => void };
  /** Ends the repetition; a run under way is not waited for. */
  readonly signal: AbortSignal;
}

/** Part of a run's own duration that follows it as a pause, so that a slow engine is not kept busy all the time. */
const PAUSE_RATIO = 0.25;

/** Runs the task now and then at each interval, until the signal fires. The task must not reject. */
export async function repeat(
  task: () => Promise<void>,
  { intervalMs, before, signal }: RepeatOptions,
): Promise<void> {
  while (!signal.aborted) {
    const startedMs = performance.now();
    await task();
    const tookMs = performance.now() - startedMs;
    const pauseMs = Math.max(intervalMs - tookMs, tookMs * PAUSE_RATIO);
    if (before && pauseMs > before.leadMs) {
      await pause(pauseMs - before.leadMs, signal);
      if (!signal.aborted) before.call();
      await pause(before.leadMs, signal);
    } else {
      await pause(pauseMs, signal);
    }
  }
}

/** Waits, but no longer than until the signal fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
