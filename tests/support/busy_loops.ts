/**
 * Work that keeps processors busy.
 *
 * @module
 */

/** Keeps this many processors busy, a little politely, for the machine has other work; disposing of it ends it. */
export function busyLoops(count: number): Disposable {
  const children = Array.from(
    { length: count },
    () =>
      new Deno.Command("nice", { args: ["-n", "5", "sh", "-c", "while :; do :; done"], stdin: "null" })
        .spawn(),
  );
  return {
    [Symbol.dispose](): void {
      for (const child of children) child.kill("SIGKILL");
    },
  };
}
