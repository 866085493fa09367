/**
 * The FFmpeg exporter on a folder with the progress file of a job, and jobs that report over HTTP.
 *
 * @module
 */
import { assertStringIncludes } from "@std/assert";
import { eventually, type ExporterProcess } from "../exporter_process.ts";
import { type Rig, type RigOptions, type Series, startOnRig } from "./rig.ts";

/** The job with the progress file. */
export const JOB = "encode-1";
const FRAMES_PER_STEP = 10;
const FRAMES_PER_SECOND = 25;

/** A block of `-progress`, in which everything follows from the number of frames. */
export function progressBlock(frames: number, last: "continue" | "end" = "continue"): string {
  const microseconds = frames * 1_000_000 / FRAMES_PER_SECOND;
  return [
    `frame=${frames}`,
    `fps=${FRAMES_PER_SECOND.toFixed(2)}`,
    "stream_0_0_q=28.0",
    "bitrate= 800.0kbits/s",
    `total_size=${frames * 4000}`,
    `out_time_us=${microseconds}`,
    `out_time_ms=${microseconds}`,
    "dup_frames=0",
    "drop_frames=0",
    "speed=   1x",
    `progress=${last}`,
    "",
  ].join("\n");
}

/** The FFmpeg exporter on a progress folder. */
export class FfmpegRig implements Rig {
  readonly name = "ffmpeg";
  readonly source = "progress_dir";
  readonly canary: Series = { name: "ffmpeg_job_frames_total", labels: { job_id: JOB } };
  readonly folder: string;
  /** Frames of the jobs that run. */
  readonly jobs = new Map<string, number>();
  /** Frames of all jobs that ran. */
  framesInAll = 0;
  readonly #posts = new Map<string, Deno.TcpConn>();

  private constructor(folder: string, readonly exporter: ExporterProcess) {
    this.folder = folder;
  }

  /** Starts it, with a job under way. */
  static async create(options: RigOptions = {}): Promise<FfmpegRig> {
    const folder = await Deno.makeTempDir({ prefix: "progress-test-" });
    await Deno.chmod(folder, 0o755);
    if (options.absent) await Deno.rename(folder, `${folder}.away`);
    try {
      const exporter = await startOnRig("ffmpeg", [`--progress-dir=${folder}`], options);
      const rig = new FfmpegRig(folder, exporter);
      if (!options.absent) rig.step();
      return rig;
    } catch (error) {
      await Deno.remove(options.absent ? `${folder}.away` : folder, { recursive: true });
      throw error;
    }
  }

  step(): number {
    return this.#advance(JOB, FRAMES_PER_STEP);
  }

  /** A job begins to report, to a file or over HTTP. */
  async begin(job: string, way: "file" | "post"): Promise<void> {
    if (way === "post") {
      const connection = await Deno.connect({ port: this.exporter.port });
      this.#posts.set(job, connection);
      await writeAll(connection, postHead(job));
    }
    this.jobs.set(job, 0);
    await this.advance(job, 0);
  }

  /** A job reports that it has come farther. */
  async advance(job: string, frames: number): Promise<void> {
    const connection = this.#posts.get(job);
    if (!connection) return void this.#advance(job, frames);
    this.#count(job, frames);
    await writeAll(connection, chunk(progressBlock(this.jobs.get(job) ?? 0)));
  }

  /** A job reports its end, and who started it clears up. */
  async end(job: string): Promise<void> {
    const last = progressBlock(this.jobs.get(job) ?? 0, "end");
    const connection = this.#posts.get(job);
    if (connection) {
      await writeAll(connection, `${chunk(last)}0\r\n\r\n`);
      await connection.read(new Uint8Array(1000));
      connection.close();
      this.#posts.delete(job);
    } else {
      this.write(job, last, { append: true });
      // It stays until it was read, as it would until the agent has seen the exit code.
      setTimeout(() => Deno.remove(`${this.folder}/${job}`).catch(ignoreMissing), 1_500);
    }
    this.jobs.delete(job);
  }

  #advance(job: string, frames: number): number {
    const sum = this.#count(job, frames);
    this.write(job, progressBlock(sum), { append: true });
    return sum;
  }

  #count(job: string, frames: number): number {
    const sum = (this.jobs.get(job) ?? 0) + frames;
    this.jobs.set(job, sum);
    this.framesInAll += frames;
    return sum;
  }

  /** Writes behind what stands in the job's file. */
  append(text: string): void {
    this.write(JOB, text, { append: true });
  }

  /** Writes a progress file. */
  write(name: string, text: string, options: Deno.WriteFileOptions = {}): void {
    Deno.writeTextFileSync(`${this.folder}/${name}`, text, options);
  }

  /** The job begins again, in the same file. */
  restart(): void {
    this.jobs.set(JOB, 2);
    this.write(JOB, progressBlock(2));
  }

  /** Posts a body as ffmpeg does, and breaks off where it ends. */
  async post(job: string, text: string): Promise<void> {
    using connection = await Deno.connect({ port: this.exporter.port });
    await writeAll(connection, postHead(job) + chunk(text));
    // A request that breaks off before it was begun to be answered never reaches the exporter.
    await eventually(async () =>
      assertStringIncludes(await this.exporter.metrics(), `\nffmpeg_job_info{job_id="${job}",`)
    );
  }

  hide(): void {
    Deno.renameSync(this.folder, `${this.folder}.away`);
  }

  show(): void {
    Deno.renameSync(`${this.folder}.away`, this.folder);
    if (this.framesInAll === 0) this.step();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#posts.values()) connection.close();
    await this.exporter[Symbol.asyncDispose]();
    for (const path of [this.folder, `${this.folder}.away`]) {
      await Deno.remove(path, { recursive: true }).catch(ignoreMissing);
    }
  }
}

function postHead(job: string): string {
  return `POST /progress?job_id=${job} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`;
}

function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}

async function writeAll(connection: Deno.Conn, text: string): Promise<void> {
  for (let rest = new TextEncoder().encode(text); rest.length > 0;) {
    rest = rest.subarray(await connection.write(rest));
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
