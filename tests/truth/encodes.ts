/**
 * Real encodes, and what ffmpeg itself says of each: the last whole block of its progress file.
 *
 * https://ffmpeg.org/ffmpeg.html (-progress)
 *
 * @module
 */
import { type Encode, pictures, probe, startEncode, VIDEO } from "../support/ffmpeg_encode.ts";

const RECENT = 8;

/** What ffmpeg reported last; all that it had reported when it was over. */
export interface Reported {
  readonly values: ReadonlyMap<string, string>;
  /** The last blocks, this one included: more than come between two looks. */
  readonly recent: readonly ReadonlyMap<string, string>[];
  readonly blocks: number;
  readonly isFinal: boolean;
  /** Unix times of the file's first and last moment, in seconds. */
  readonly bornSeconds: number;
  readonly changedSeconds: number;
}

/** One encode. */
export interface RealJob {
  readonly id: string;
  readonly encode: Encode;
  readonly output: string;
  /** Its process has ended. */
  isOver: boolean;
  /** It was stopped by a signal, or let go on, at this Unix time in milliseconds. */
  isStopped: boolean;
  reported: Reported | undefined;
}

/** Encodes into a folder, each with a progress file. */
export class RealEncodes {
  readonly jobs = new Map<string, RealJob>();
  readonly #folder: string;
  readonly #progress: string;
  #started = 0;
  /** What was wrong with ffmpeg's own account. */
  readonly contradictions: string[] = [];

  constructor(folder: string, progress: string) {
    this.#folder = folder;
    this.#progress = progress;
  }

  /** Starts one of so many seconds, in realtime. */
  start(seconds: number): void {
    const id = `job-${++this.#started}`;
    const output = `${this.#folder}/${id}.mkv`;
    const args = [
      ...["-progress", `${this.#progress}/${id}`, "-stats_period", "0.3"],
      ...pictures(seconds, { realtime: true }),
      ...VIDEO,
    ];
    const encode = startEncode([...args, output]);
    const job: RealJob = { id, encode, output, isOver: false, isStopped: false, reported: undefined };
    this.jobs.set(id, job);
    Promise.all([encode.code, encode.log]).then(([code]) => this.#check(job, code));
  }

  /** Holds ffmpeg's last block against what ffprobe counts. */
  async #check(job: RealJob, code: number): Promise<void> {
    job.isOver = true;
    // It was killed in the end.
    if (code !== 0) return;
    const { frames } = await probe(job.output);
    const reported = this.read(job)?.values.get("frame");
    if (Number(reported) !== frames) {
      this.contradictions.push(`${job.id}: ffmpeg reports ${reported} frames, ffprobe counts ${frames}`);
    }
    await Deno.remove(job.output);
  }

  /** Stops a job, or lets it go on. */
  toggle(job: RealJob): void {
    if (job.isOver) return;
    job.encode.child.kill(job.isStopped ? "SIGCONT" : "SIGSTOP");
    job.isStopped = !job.isStopped;
  }

  /** Reads what ffmpeg has reported; undefined before its first whole block. */
  read(job: RealJob): Reported | undefined {
    const path = `${this.#progress}/${job.id}`;
    const text = readText(path);
    const blocks = text.split(/(?<=^progress=(?:continue|end)\n)/m)
      .filter((block) => /^progress=\w+\n$/m.test(block));
    const recent = blocks.slice(-RECENT).map(valuesOf);
    const values = recent.at(-1);
    if (values === undefined) return undefined;
    const { birthtime, mtime } = Deno.statSync(path);
    return {
      values,
      recent,
      blocks: blocks.length,
      isFinal: values.get("progress") === "end",
      bornSeconds: Number(birthtime) / 1000,
      changedSeconds: Number(mtime) / 1000,
    };
  }

  /** Ends all. */
  async end(): Promise<void> {
    for (const { encode, isOver } of this.jobs.values()) {
      if (!isOver) encode.child.kill("SIGKILL");
    }
    await Promise.all([...this.jobs.values()].flatMap(({ encode }) => [encode.code, encode.log]));
  }
}

function valuesOf(block: string): ReadonlyMap<string, string> {
  return new Map(
    block.split("\n").map((line) => {
      const [name = "", value = ""] = line.split("=");
      return [name.trim(), value.trim()];
    }),
  );
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
