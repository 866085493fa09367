/**
 * Follows one progress file: reads what was appended since the last look, notices that it was written anew.
 *
 * @module
 */
import { type Intake, ReportStream } from "./intake.ts";
import type { Job } from "./job.ts";
import { describeJob, parseFileName } from "./job_description.ts";

/** Most that is read of a file when it is first seen, from its end, in bytes: some two minutes of reports. */
const FIRST_READ_BYTES = 65_536;
/** Most that is read of a file at one look, in bytes; the rest waits for the next. */
const READ_BYTES_PER_LOOK = 1_048_576;
/** A file that was last written this long before it was first seen belongs to nothing that runs, in milliseconds. */
export const STALE_AFTER_MS = 60_000;
/** Farthest that a file's time may be from ours to be believed, in milliseconds. */
const CLOCK_TOLERANCE_MS = 2_000;

const BUFFER = new Uint8Array(FIRST_READ_BYTES);

/** A progress file and the job that writes it. */
export class ProgressFile {
  readonly #intake: Intake;
  readonly #path: string;
  readonly #name: string;
  #isUnderWay: boolean;
  #seen: { size: number; ino: number | null; mtimeMs: number };
  #position: number;
  #stream: ReportStream | undefined;
  #writtenMs = 0;
  #isDoubtful = false;
  #isRefused = false;

  /**
   * A file that was just found.
   *
   * @param isUnderWay whether its job may have begun before this exporter
   */
  constructor(intake: Intake, folder: string, name: string, isUnderWay: boolean) {
    this.#intake = intake;
    this.#path = `${folder}/${name}`;
    this.#name = name;
    this.#isUnderWay = isUnderWay;
    this.#seen = { size: -1, ino: null, mtimeMs: 0 };
    this.#position = -1;
  }

  /** Its job, if it has shown signs of life. */
  get job(): Job | undefined {
    return this.#stream?.job;
  }

  /** Reads what is new. @throws {Error} when the file cannot be read */
  look(): void {
    const { isFile, size, ino, mtime } = Deno.lstatSync(this.#path);
    if (!isFile) return;
    const mtimeMs = mtime?.getTime() ?? 0;
    const seen = this.#seen;
    const isUnchanged = size === seen.size && ino === seen.ino && mtimeMs === seen.mtimeMs;
    if (isUnchanged && this.#position === size && !this.#isDoubtful) return;
    this.#seen = { size, ino, mtimeMs };
    const isKnown = this.#position >= 0;
    // What is read later was written later, though a file's time moves in ticks of some milliseconds.
    this.#writtenMs = Math.max(this.#timeOf(mtimeMs, isKnown), this.#writtenMs + 1);
    if (!isKnown) this.#begin(size, mtimeMs);
    else if (ino !== seen.ino || size < this.#position) this.#beginAnew();
    else if (size === this.#position) {
      // Written, and yet no longer: either written anew to the same size, or the kernel has set the time of a
      // write whose bytes are not there yet. The next look tells.
      if (isUnchanged && this.#isDoubtful) this.#beginAnew();
      else this.#isDoubtful = true;
    }
    if (size > this.#position) this.#read(size);
  }

  /** The file is gone. */
  close(): void {
    this.#stream?.end();
  }

  /** Nothing is known of the job while its folder cannot be read. */
  suspend(isSuspended: boolean): void {
    if (this.job) this.job.isSuspended = isSuspended;
  }

  /** When the file was written: its own time is nearer to the last report than ours, if both clocks agree. */
  #timeOf(mtimeMs: number, isKnown: boolean): number {
    const nowMs = this.#intake.board.nowMs();
    const ageMs = nowMs - mtimeMs;
    const oldestMs = isKnown ? CLOCK_TOLERANCE_MS : STALE_AFTER_MS;
    return ageMs > -CLOCK_TOLERANCE_MS && ageMs < oldestMs ? Math.min(mtimeMs, nowMs) : nowMs;
  }

  #begin(size: number, mtimeMs: number): void {
    if (this.#intake.board.nowMs() - mtimeMs > STALE_AFTER_MS) {
      // Left behind by a job of long ago, perhaps before a reboot: it is one again if it grows.
      this.#position = size;
      this.#isUnderWay = true;
      return;
    }
    this.#position = this.#isUnderWay ? Math.max(0, size - FIRST_READ_BYTES) : 0;
    if (size === 0) this.#follow().job ??= this.#open();
  }

  #beginAnew(): void {
    this.#stream?.end();
    this.#stream = undefined;
    this.#position = 0;
    this.#isUnderWay = false;
    this.#isDoubtful = false;
  }

  #read(size: number): void {
    this.#isDoubtful = false;
    const end = Math.min(size, this.#position + READ_BYTES_PER_LOOK);
    const stream = this.#follow();
    using file = Deno.openSync(this.#path);
    file.seekSync(this.#position, Deno.SeekMode.Start);
    while (this.#position < end) {
      const count = file.readSync(BUFFER.subarray(0, Math.min(BUFFER.length, end - this.#position)));
      if (count === null) break;
      this.#position += count;
      stream.push(BUFFER.subarray(0, count), this.#writtenMs);
    }
  }

  #follow(): ReportStream {
    return this.#stream ??= new ReportStream(this.#intake, {
      open: () => this.#open(),
      midStream: this.#position > 0,
    });
  }

  #open(): Job | undefined {
    const { id, parameters } = parseFileName(this.#name);
    // Refused once is counted once; it is taken as soon as there is room.
    if (this.#isRefused && this.#intake.board.refusal(id)) return undefined;
    const { job, refused } = this.#intake.open({
      id,
      via: "file",
      description: describeJob(parameters),
      startedMs: this.#writtenMs,
      isUnderWay: this.#isUnderWay || this.#isRefused,
    });
    this.#isRefused = refused !== undefined;
    if (refused) this.#intake.reject(refused);
    return job;
  }
}
