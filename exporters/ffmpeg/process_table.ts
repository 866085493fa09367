/**
 * Finds the ffmpeg processes of the machine in a bind mount of /proc, and follows them.
 *
 * Deno opens /proc to no program without all permissions, so the tree is shown elsewhere (`/run/host-proc`). Of
 * processes with other names nothing is kept but their pid.
 *
 * @module
 */
import { EncoderProcess } from "./encoder_process.ts";
import { parseStat, type ProcessStat, readProcessFile, TICKS_PER_SECOND } from "./process_files.ts";

/** Longest name that the kernel keeps of a program, in bytes. */
const MAX_NAME_LENGTH = 15;
/** A process may become ffmpeg (exec) a while after it began: within this time its name is read at every look. */
const YOUNG_MS = 5_000;
/** The names of all others are read again in turn, one in so many looks: a pid may have been given to another. */
const TURNS = 60;
const PAGE_SIZES = [4096, 16_384, 65_536];
const PID_REGEXP = /^\d+$/;

/** Options of {@linkcode ProcessTable}. */
export interface ProcessTableOptions {
  /** The bind mount of /proc. */
  readonly path: string;
  /** Names of the programs that are looked for. */
  readonly names: readonly string[];
  /** Most processes that are followed. */
  readonly limit: number;
  /** A steady clock, in milliseconds. */
  readonly nowMs: () => number;
  /** The wall clock, in milliseconds. @default {Date.now} */
  readonly wallClockMs?: () => number;
}

/** A process of another name, or one that cannot be followed. */
interface Other {
  readonly firstSeenMs: number;
  readonly turn: number;
}

/** The ffmpeg processes of a machine. */
export class ProcessTable {
  readonly #options: ProcessTableOptions;
  readonly #names: ReadonlySet<string>;
  readonly #others = new Map<number, Other>();
  readonly #processes = new Map<number, EncoderProcess>();
  #turn = 0;
  #pageBytes: number | undefined;
  #bootMs = NaN;
  #uptimeSeconds = NaN;
  /** Time of the first look, in ticks since boot. */
  #begunTicks = Infinity;
  #cpuTicks = 0;
  /** Whether all processes are seen: under hidepid, other users' are not, and nor is the first of all. */
  seesAll = false;
  /** Processes beyond the limit at the last look. */
  excess = 0;

  constructor(options: ProcessTableOptions) {
    this.#options = options;
    this.#names = new Set(options.names.map((name) => name.slice(0, MAX_NAME_LENGTH)));
  }

  /** The processes by pid, as at the last look. */
  get processes(): ReadonlyMap<number, EncoderProcess> {
    return this.#processes;
  }

  /** Size of a page of memory, in bytes; undefined before the first process is found. */
  get pageBytes(): number | undefined {
    return this.#pageBytes;
  }

  /** When a process started, in seconds since 1970 by the wall clock. */
  startSeconds({ startTicks }: EncoderProcess): number {
    return Math.round(this.#bootMs / 10 + startTicks) / TICKS_PER_SECOND;
  }

  /** CPU time of all that was followed since the first look, in seconds. It never falls. */
  get cpuSeconds(): number {
    return this.#cpuTicks / TICKS_PER_SECOND;
  }

  /** How long ago a process started, at the last look, in milliseconds. */
  ageMs({ startTicks }: EncoderProcess): number {
    return (this.#uptimeSeconds - startTicks / TICKS_PER_SECOND) * 1000;
  }

  /**
   * Reads the table.
   *
   * @throws {Error} one of `Deno.errors` when the folder cannot be read
   */
  look(): void {
    const pids = this.#list();
    const isFirst = this.#begunTicks === Infinity;
    this.#readUptime();
    this.seesAll = pids.has(1);
    this.excess = 0;
    this.#turn = (this.#turn + 1) % TURNS;
    for (const [pid, process] of this.#processes) {
      if (!pids.has(pid) || !this.#follow(process)) this.#remove(process);
    }
    for (const pid of this.#others.keys()) if (!pids.has(pid)) this.#others.delete(pid);
    for (const pid of pids) {
      if (!this.#processes.has(pid) && this.#isDue(pid)) this.#meet(pid, isFirst);
    }
  }

  #list(): Set<number> {
    const pids = new Set<number>();
    for (const { name } of Deno.readDirSync(this.#options.path)) {
      if (PID_REGEXP.test(name)) pids.add(Number(name));
    }
    return pids;
  }

  /** Whether a process of another name is to be looked at again. */
  #isDue(pid: number): boolean {
    const other = this.#others.get(pid);
    if (!other) return true;
    return other.turn === this.#turn || this.#options.nowMs() - other.firstSeenMs < YOUNG_MS;
  }

  #meet(pid: number, isFirstLook: boolean): void {
    const folder = `${this.#options.path}/${pid}`;
    const name = this.#read(`${folder}/comm`)?.trimEnd();
    if (name === undefined) return;
    if (!this.#names.has(name)) return this.#setAside(pid, isFirstLook);
    const stat = parseStat(this.#read(`${folder}/stat`) ?? "");
    const cmdline = this.#read(`${folder}/cmdline`);
    const status = this.#read(`${folder}/status`);
    const cgroup = this.#read(`${folder}/cgroup`);
    // Gone between two reads.
    if (!stat || cmdline === undefined || status === undefined || cgroup === undefined) return;
    if (isScript(cmdline, name)) return this.#setAside(pid);
    if (this.#processes.size >= this.#options.limit) return void this.excess++;
    this.#others.delete(pid);
    const process = new EncoderProcess(pid, stat, { cmdline, status, cgroup }, this.#options.nowMs());
    this.#processes.set(pid, process);
    this.#readPageSize(folder, stat);
    // What it did before this exporter began is no work of its time.
    if (stat.startTicks >= this.#begunTicks) this.#cpuTicks += stat.cpuTicks;
  }

  #setAside(pid: number, isOld = false): void {
    if (this.#others.has(pid)) return;
    this.#others.set(pid, { firstSeenMs: isOld ? -Infinity : this.#options.nowMs(), turn: pid % TURNS });
  }

  /** Reads what a process does now; false where it is gone, or another has its pid. */
  #follow(process: EncoderProcess): boolean {
    const stat = parseStat(this.#read(`${this.#options.path}/${process.pid}/stat`) ?? "");
    if (!stat || stat.startTicks !== process.startTicks) return false;
    this.#cpuTicks += Math.max(0, stat.cpuTicks - process.cpuTicks);
    process.update(stat, this.#options.nowMs());
    return true;
  }

  #remove(process: EncoderProcess): void {
    process.goneMs ??= this.#options.nowMs();
    this.#processes.delete(process.pid);
  }

  /** Reads a file; undefined where the process is gone or its file is closed to this user. */
  #read(path: string): string | undefined {
    try {
      return readProcessFile(path);
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied) return undefined;
      throw error;
    }
  }

  /** The address space is given in bytes in one file and in pages in another. */
  #readPageSize(folder: string, { virtualBytes }: ProcessStat): void {
    if (this.#pageBytes !== undefined) return;
    const pages = Number(this.#read(`${folder}/statm`)?.split(" ", 1)[0] ?? NaN);
    this.#pageBytes = PAGE_SIZES.find((bytes) => pages > 0 && pages * bytes === virtualBytes);
  }

  #readUptime(): void {
    const uptime = Number(this.#read(`${this.#options.path}/uptime`)?.split(" ", 1)[0] ?? NaN);
    if (this.#begunTicks === Infinity) this.#begunTicks = uptime * TICKS_PER_SECOND;
    this.#uptimeSeconds = uptime;
    const bootMs = (this.#options.wallClockMs ?? Date.now)() - uptime * 1000;
    // The same one as long as nobody sets the clock, so that a start does not tremble.
    if (!(Math.abs(bootMs - this.#bootMs) < 1000)) this.#bootMs = bootMs;
  }
}

/** Whether an interpreter runs a script of that name, which may start the real program or become it. */
function isScript(cmdline: string, name: string): boolean {
  const [first = "", second = ""] = cmdline.split("\0", 2).map((arg) => arg.slice(arg.lastIndexOf("/") + 1));
  return first.slice(0, MAX_NAME_LENGTH) !== name && second.slice(0, MAX_NAME_LENGTH) === name;
}
