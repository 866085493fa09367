/**
 * Follows one progress file: reads what was appended since the last look, notices that another run writes it.
 *
 * ffmpeg truncates the file when it starts, appends, and writes nothing after `progress=end`.
 *
 * @module
 */
import { type Intake, ReportStream } from "./intake.ts";
import type { Job } from "./job.ts";
import { describeJob, parseFileName } from "./job_description.ts";
import { PlainFile } from "./plain_file.ts";

/** Read from the end of a file that is joined, in bytes: some two minutes of reports. */
const JOIN_BYTES = 65_536;
/** Read from the beginning of such a file, in bytes: the header of a report. */
const HEAD_BYTES = 16_384;
/** A file that grew by more than this is joined again, in bytes: half an hour of reports. */
const MOST_GROWTH_BYTES = 1_048_576;
/** What was read last is compared at the next look, in bytes: it holds the time reached and the speed. */
const TAIL_BYTES = 128;
/** A file last written this long before the exporter's first look belongs to nothing that runs, in milliseconds. */
export const STALE_AFTER_MS = 60_000;
/** A file that has not changed for this long is looked at less often, in milliseconds. */
export const IDLE_AFTER_MS = 60_000;
/** Time between two looks at such a file, in milliseconds. */
export const IDLE_PERIOD_MS = 5_000;
/** The kernel's clock for files ticks every few milliseconds, and is behind by as much. */
const TICK_MS = 10;

const END = "progress=end\n";
const BUFFER = new Uint8Array(JOIN_BYTES);
const NO_BYTES = new Uint8Array();
const DECODER = new TextDecoder("latin1");

/** What a look shows of a file; times are Unix times. */
interface Stat {
  readonly size: number;
  readonly ino: number | null;
  readonly mtimeMs: number;
  readonly birthMs: number | undefined;
}

/** A progress file and the job that writes it. */
export class ProgressFile {
  /** The job's id by the file's name; empty where that has none. */
  readonly id: string;
  readonly #intake: Intake;
  readonly #path: string;
  readonly #parameters: URLSearchParams;
  /** The run cannot have begun earlier; undefined where it may have begun before this exporter. */
  #sinceMs: number | undefined;
  #stat: Stat | undefined;
  #position = 0;
  /** The last bytes before the position. */
  #tail: Uint8Array = NO_BYTES;
  #stream: ReportStream | undefined;
  #writtenMs = -Infinity;
  #lookedMs = -Infinity;
  #changedMs = -Infinity;
  #isRefused = false;

  /**
   * A file that was just found.
   *
   * @param sinceMs when it was not there yet; undefined: its job may have begun before this exporter
   */
  constructor(intake: Intake, folder: string, name: string, sinceMs: number | undefined) {
    const { id, parameters } = parseFileName(name);
    this.id = id;
    this.#intake = intake;
    this.#path = `${folder}/${name}`;
    this.#parameters = parameters;
    this.#sinceMs = sinceMs;
  }

  /** Its job, if it has shown signs of life. */
  get job(): Job | undefined {
    return this.#stream?.job;
  }

  /** Whether it is time for a look. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#changedMs < IDLE_AFTER_MS || nowMs - this.#lookedMs >= IDLE_PERIOD_MS;
  }

  /** Reads what is new, and returns how many bytes. @throws {Error} when the file cannot be read */
  look(): number {
    const nowMs = this.#intake.board.nowMs();
    const info = Deno.lstatSync(this.#path);
    const previousMs = this.#lookedMs;
    this.#lookedMs = nowMs;
    if (!info.isFile) return 0;
    const before = this.#stat;
    const stat: Stat = {
      size: info.size,
      ino: info.ino,
      mtimeMs: info.mtime?.getTime() ?? 0,
      birthMs: info.birthtime?.getTime(),
    };
    if (before && isSame(before, stat)) return 0;
    using file = PlainFile.open(this.#path, info);
    if (!file) return 0;
    this.#stat = stat;
    if (!before && this.#isStale()) {
      this.#skipStale(file, stat.size);
      return 0;
    }
    if (!before) this.#changedMs = nowMs;
    else if (this.#isAnotherRun(file, before)) this.#beginAgain(previousMs);
    this.#writtenMs = this.#timeWritten(stat, before ? previousMs : this.#sinceMs);
    // Empty, or truncated: what comes next shows by whom. An empty file is no job.
    if (stat.size <= this.#position) return 0;
    this.#changedMs = nowMs;
    return this.#read(file, stat.size);
  }

  /** The file is gone. */
  close(): void {
    this.#stream?.end();
  }

  /** Nothing is known of the job while its folder cannot be read. */
  suspend(isSuspended: boolean): void {
    if (this.job) this.job.isSuspended = isSuspended;
  }

  /** Whether it was left behind by a run of long ago, perhaps before a reboot: it is a job once it grows. */
  #isStale(): boolean {
    if (this.#sinceMs !== undefined) return false;
    const { board } = this.#intake;
    return board.nowMs() - board.fromUnixMs(this.#stat?.mtimeMs ?? 0) > STALE_AFTER_MS;
  }

  #skipStale(file: PlainFile, size: number): void {
    this.#tail = new Uint8Array(Math.min(size, TAIL_BYTES));
    file.read(this.#tail, size - this.#tail.length);
    this.#position = size;
  }

  #beginAgain(sinceMs: number): void {
    this.#stream?.end();
    this.#stream = undefined;
    this.#position = 0;
    this.#tail = NO_BYTES;
    this.#sinceMs = sinceMs;
    this.#changedMs = this.#lookedMs;
  }

  /** Whether the file that has changed is that of another run. */
  #isAnotherRun(file: PlainFile, before: Stat): boolean {
    const stat = this.#stat ?? before;
    // File systems on disk use a number again at once.
    if (stat.ino !== before.ino || stat.birthMs !== before.birthMs) return true;
    if (DECODER.decode(this.#tail).endsWith(END)) return true;
    // Truncated in place, as by ">FILE" to save room: the writer goes on behind a hole, which reads as zeros.
    const tail = new Uint8Array(this.#tail.length);
    const count = file.read(tail, Math.max(0, Math.min(this.#position, stat.size) - tail.length));
    if (!tail.some((byte) => byte !== 0)) {
      if (stat.size > this.#position) this.#tail = NO_BYTES;
      return false;
    }
    return count < tail.length || stat.size < this.#position ||
      tail.some((byte, index) => byte !== this.#tail[index]);
  }

  /** When the last report was written: the file's time is nearer to that than ours, within what is possible. */
  #timeWritten({ mtimeMs }: Stat, earliestMs = -Infinity): number {
    const { board } = this.#intake;
    const writtenMs = Math.max(board.fromUnixMs(mtimeMs), earliestMs - TICK_MS);
    // What is read later was written later, though the file's time may stand still.
    return Math.max(Math.min(writtenMs, board.nowMs()), this.#writtenMs + 1);
  }

  #read(file: PlainFile, size: number): number {
    const isJoined = !this.#stream && this.#sinceMs === undefined && size - this.#position > JOIN_BYTES;
    if (isJoined || size - this.#position > MOST_GROWTH_BYTES) this.#skipTo(size - JOIN_BYTES, file);
    const stream = this.#follow(file);
    const from = this.#position;
    while (this.#position < size) {
      const count = file.read(BUFFER.subarray(0, size - this.#position), this.#position);
      if (count === 0) break;
      const bytes = BUFFER.subarray(0, count);
      this.#position += count;
      this.#tail = tailOf(this.#tail, bytes);
      stream.push(bytes, this.#writtenMs);
    }
    return this.#position - from;
  }

  #skipTo(position: number, file: PlainFile): void {
    this.#position = position;
    this.#tail = NO_BYTES;
    const { job } = this;
    this.#stream = undefined;
    this.#follow(file, job);
  }

  #follow(file: PlainFile, job?: Job): ReportStream {
    if (this.#stream) return this.#stream;
    const midStream = this.#position > 0;
    this.#stream = new ReportStream(this.#intake, { job, open: () => this.#open(), midStream });
    if (midStream) {
      // A report shows at its beginning what is encoded.
      const count = file.read(BUFFER.subarray(0, HEAD_BYTES), 0);
      this.#stream.pushHead(BUFFER.subarray(0, count), this.#writtenMs);
    }
    return this.#stream;
  }

  #open(): Job | undefined {
    const { board } = this.#intake;
    // Refused once is counted once; it is taken as soon as there is room.
    if (this.#isRefused && board.refusal(this.id)) return undefined;
    const { birthMs } = this.#stat ?? {};
    const { job, refused } = this.#intake.open({
      id: this.id,
      via: "file",
      description: describeJob(this.#parameters),
      startedMs: this.#writtenMs,
      sinceMs: this.#sinceMs,
      bornMs: birthMs === undefined ? undefined : board.fromUnixMs(birthMs),
      isUnderWay: this.#sinceMs === undefined || this.#isRefused,
    });
    this.#isRefused = refused !== undefined;
    if (refused) this.#intake.reject(refused);
    return job;
  }
}

function isSame(left: Stat, right: Stat): boolean {
  return left.size === right.size && left.mtimeMs === right.mtimeMs && left.ino === right.ino &&
    left.birthMs === right.birthMs;
}

function tailOf(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (bytes.length >= TAIL_BYTES) return bytes.slice(-TAIL_BYTES);
  const tail = new Uint8Array(Math.min(TAIL_BYTES, before.length + bytes.length));
  tail.set(bytes, tail.length - bytes.length);
  const kept = tail.length - bytes.length;
  tail.set(before.subarray(before.length - kept), 0);
  return tail;
}
