/**
 * Processes for the benchmark of the FFmpeg exporter: idle shells that the kernel knows as ffmpeg, each with the
 * progress file of a job among its arguments, and a tree of many others.
 *
 * @module
 */

/** Shows /proc at a folder in a mount namespace of its own, and becomes a command. */
const BIND_PROC = 'mount --bind /proc "$1" && shift && exec "$@"';

/** Puts before a command what shows it /proc at a folder; needs root. */
export function withProc(folder: string, command: string, args: readonly string[]): [string, string[]] {
  return ["unshare", ["--mount", "sh", "-c", BIND_PROC, "sh", folder, command, ...args]];
}

/** Starts idle processes named ffmpeg, the first with `job-0` as its progress file, and so on. */
export async function idleProcesses(folder: string, count: number): Promise<AsyncDisposable> {
  const program = `${folder}/ffmpeg`;
  await Deno.copyFile("/bin/dash", program);
  const fifo = `${folder}/fifo`;
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  const script =
    'i=0; while [ $i -lt "$3" ]; do "$1" -c \'read _ <"$0"\' "$2" -progress "/run/ffmpeg-progress/job-$i" -i a b & ' +
    "i=$((i + 1)); done; wait";
  const child = new Deno.Command("setsid", {
    args: ["sh", "-c", script, "sh", program, fifo, String(count)],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      await new Deno.Command("kill", { args: ["-KILL", "--", `-${child.pid}`] }).output();
      await child.status;
    },
  };
}

/** Makes a tree with processes of other names, as far as they are read. */
export function otherProcesses(folder: string, count: number): void {
  Deno.writeTextFileSync(`${folder}/uptime`, "1000.00 1.00\n");
  for (let pid = 1; pid <= count; pid++) {
    Deno.mkdirSync(`${folder}/${pid}`);
    Deno.writeTextFileSync(`${folder}/${pid}/comm`, "worker\n");
  }
}
