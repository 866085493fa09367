/**
 * A tree of processes as /proc shows it, in a temporary folder.
 *
 * @module
 */

/** Digits of a container's id. */
export const CONTAINER_ID = "0123456789abcdef".repeat(4);

/** A process of the tree. */
export interface TreeProcess {
  readonly name?: string;
  readonly args?: readonly string[];
  readonly state?: string;
  readonly parentPid?: number;
  readonly sessionId?: number;
  /** CPU time, in seconds. */
  readonly cpuSeconds?: number;
  /** When it started, in seconds since boot. */
  readonly startSeconds?: number;
  readonly residentPages?: number;
  readonly innerPid?: number;
  readonly cgroup?: string;
}

/** A tree with a first process; its machine booted 1000 seconds before the moment it is given. */
export class ProcessTree implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "process-tree-" });

  constructor() {
    this.setUptime(1000);
    // Two processors; a sixth of the time they were busy.
    Deno.writeTextFileSync(
      `${this.path}/stat`,
      "cpu  20000 300 12000 165000 1500 0 700 500 9000 0\ncpu0 1 0 0 0 0 0 0 0 0 0\nbtime 1\n",
    );
    this.set(1, { name: "systemd" });
  }

  /** Sets the time since boot, in seconds. */
  setUptime(seconds: number): void {
    Deno.writeTextFileSync(`${this.path}/uptime`, `${seconds.toFixed(2)} 1.00\n`);
  }

  /** Adds a process, or writes another in its place. */
  set(pid: number, process: TreeProcess = {}): void {
    const { name = "ffmpeg", args = [name], state = "S", parentPid = 1, sessionId = pid, cpuSeconds = 0 } =
      process;
    const { startSeconds = 1000, residentPages = 300, innerPid = pid, cgroup = "0::/user.slice\n" } = process;
    const folder = `${this.path}/${pid}`;
    Deno.mkdirSync(folder, { recursive: true });
    const ticks = Math.round(cpuSeconds * 100);
    const write = (file: string, text: string): void => Deno.writeTextFileSync(`${folder}/${file}`, text);
    write("comm", `${name.slice(0, 15)}\n`);
    write(
      "stat",
      `${pid} (${
        name.slice(0, 15)
      }) ${state} ${parentPid} ${pid} ${sessionId} 0 -1 4194304 1 0 0 0 ${ticks} 0 0 0 20 0 9 0 ` +
        `${Math.round(startSeconds * 100)} ${4096 * 1400} ${residentPages} 18446744073709551615 1 1 0 0 0\n`,
    );
    write("statm", `1400 ${residentPages} 100 1 0 200 0\n`);
    write("cmdline", args.map((arg) => `${arg}\0`).join(""));
    write(
      "status",
      `Name:\t${name}\nPid:\t${pid}\nNSpid:\t${innerPid === pid ? pid : `${pid}\t${innerPid}`}\n`,
    );
    write("cgroup", cgroup);
  }

  /** Takes a process away. */
  remove(pid: number): void {
    Deno.removeSync(`${this.path}/${pid}`, { recursive: true });
  }

  /** Takes one file of a process away, as when it ends between two reads. */
  removeFile(pid: number, file: string): void {
    Deno.removeSync(`${this.path}/${pid}/${file}`);
  }

  /** Takes the tree away. */
  hide(): void {
    Deno.renameSync(this.path, `${this.path}.away`);
  }

  /** Puts it back. */
  show(): void {
    Deno.renameSync(`${this.path}.away`, this.path);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
