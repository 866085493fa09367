/**
 * Runs programs side by side: what they log appears with their name before it, signals reach all of them.
 *
 * None is started again: that is for systemd, or for whoever called this.
 *
 * @module
 */

/** A program to run. */
export interface ChildProgram {
  /** What stands before each line of its standard error. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Options of {@linkcode runChildren}. */
export interface RunChildrenOptions {
  /** Takes the children's standard error and reports about them, in whole lines. @default writes to standard error */
  print?: (line: string) => void;
  /** Ends the children, as SIGTERM does. */
  signal?: AbortSignal;
  /** Time that the children have to end after a signal, in milliseconds; then they are killed. @default 5000 */
  stopTimeoutMs?: number;
}

/**
 * Runs the children until the last one has ended. Their standard output passes through as it is.
 *
 * SIGTERM, SIGINT and SIGHUP are passed on. A child that ends by itself leaves the others running.
 *
 * @returns 0 when every child ended with 0, else the exit code of the first that did not
 */
export async function runChildren(
  programs: readonly ChildProgram[],
  options: RunChildrenOptions = {},
): Promise<number> {
  const { print = printToStderr, signal, stopTimeoutMs = 5000 } = options;
  const running = new Map<string, Deno.ChildProcess>();
  let exitCode = 0;
  let killTimer: ReturnType<typeof setTimeout> | undefined;

  function stop(how: Deno.Signal): void {
    for (const child of running.values()) child.kill(how);
    killTimer ??= setTimeout(() => {
      for (const [name, child] of running) {
        print(`${name} | does not end: killed`);
        child.kill("SIGKILL");
      }
    }, stopTimeoutMs);
  }
  const passOn = (["SIGTERM", "SIGINT", "SIGHUP"] as const).map((name) => [name, () => stop(name)] as const);
  for (const [name, listener] of passOn) Deno.addSignalListener(name, listener);
  const abort = (): void => stop("SIGTERM");
  signal?.addEventListener("abort", abort);

  await Promise.all(programs.map(async ({ name, command, args }) => {
    const child = new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "inherit",
      stderr: "piped",
    }).spawn();
    running.set(name, child);
    await forEachLine(child.stderr, (line) => print(`${name} | ${line}`));
    const { code, signal: endedBy } = await child.status;
    running.delete(name);
    if (code !== 0) exitCode ||= code;
    // A child that ends well after a signal needs no mention.
    if (killTimer === undefined || code !== 0) {
      print(`${name} | ended ${endedBy ? `by ${endedBy}` : `with exit code ${code}`}`);
    }
  }));

  clearTimeout(killTimer);
  signal?.removeEventListener("abort", abort);
  for (const [name, listener] of passOn) Deno.removeSignalListener(name, listener);
  return exitCode;
}

async function forEachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
  if (rest) take(rest);
}

const ENCODER = new TextEncoder();

function printToStderr(line: string): void {
  Deno.stderr.writeSync(ENCODER.encode(`${line}\n`));
}
