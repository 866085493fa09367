/**
 * Reads the files of one process below /proc: its state, its times, its memory, its container.
 *
 * https://docs.kernel.org/filesystems/proc.html and proc_pid_stat(5)
 *
 * @module
 */

/** The kernel counts CPU time and start times in hundredths of a second for programs, on every architecture here. */
export const TICKS_PER_SECOND = 100;

/** What `/proc/PID/stat` shows. */
export interface ProcessStat {
  /** One letter; `T` stopped, `Z` zombie. */
  readonly state: string;
  readonly parentPid: number;
  readonly sessionId: number;
  /** CPU time of all its threads, in ticks. */
  readonly cpuTicks: number;
  /** When it started, in ticks since boot. With the pid, it is what makes a process itself. */
  readonly startTicks: number;
  /** Size of its address space, in bytes. */
  readonly virtualBytes: number;
  readonly residentPages: number;
}

/** Parses `/proc/PID/stat`; undefined if it is none. The name in parentheses may hold anything. */
export function parseStat(text: string): ProcessStat | undefined {
  const nameEnd = text.lastIndexOf(") ");
  if (nameEnd < 0) return undefined;
  // From field 3 on.
  const fields = text.slice(nameEnd + 2).split(" ", 22);
  const number = (field: number): number => Number(fields[field - 3] ?? NaN);
  const stat = {
    state: fields[0] ?? "",
    parentPid: number(4),
    sessionId: number(6),
    cpuTicks: number(14) + number(15),
    startTicks: number(22),
    virtualBytes: number(23),
    residentPages: number(24),
  };
  return Number.isNaN(stat.cpuTicks + stat.startTicks + stat.parentPid + stat.sessionId) ? undefined : stat;
}

/** The pid that a process has in its own namespace, by `NSpid` of `/proc/PID/status`; undefined before Linux 4.1. */
export function parseInnerPid(status: string): number | undefined {
  const pid = /^NSpid:.*?(\d+)$/m.exec(status)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** 64 hexadecimal digits that name a container: `docker-ID.scope`, `/docker/ID`, `libpod-ID.scope`, `cri-containerd-ID`. */
const CONTAINER_REGEXP = /(?<!conmon)[/:-]([\da-f]{64})(?=$|[./])/;

/**
 * The container of a process by `/proc/PID/cgroup`, of both cgroup versions: the 12 digits that Docker shows; empty
 * outside of one. Where containers are nested, the outermost: the one that the machine's engine knows.
 */
export function parseContainer(cgroup: string): string {
  for (const line of cgroup.split("\n")) {
    const id = CONTAINER_REGEXP.exec(line)?.[1];
    if (id) return id.slice(0, 12);
  }
  return "";
}

/** Most bytes that are read of a file; an argument that is cut off by it is left out. */
const MAX_FILE_BYTES = 65_536;
/** What is shorter than this comes with one read, in bytes; a page has 4096. */
const WHOLE_BYTES = 1024;
const BUFFER = new Uint8Array(MAX_FILE_BYTES);
// One byte is one character: arguments need not be valid in any encoding.
const DECODER = new TextDecoder("latin1");

/**
 * Reads a file of a process; undefined where the process has gone meanwhile.
 *
 * @throws {Error} one of `Deno.errors` when it cannot be read for another reason
 */
export function readProcessFile(path: string): string | undefined {
  try {
    using file = Deno.openSync(path);
    let length = 0;
    while (length < BUFFER.length) {
      const count = file.readSync(length === 0 ? BUFFER : BUFFER.subarray(length));
      length += count ?? 0;
      // The kernel hands over a short file whole.
      if (!count || length < WHOLE_BYTES) break;
    }
    return DECODER.decode(BUFFER.subarray(0, length));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Whether a process ended while its files were read: the folder is gone, or its files answer ESRCH. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof Error && (error as { code?: string }).code === "ESRCH") ||
    (error instanceof Error && error.message.includes("os error 3)"));
}
