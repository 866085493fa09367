/**
 * The FFmpeg exporter on a folder with the progress file of a job, and jobs that report over HTTP.
 *
 * @module
 */
import type { ExporterProcess } from "../exporter_process.ts";
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
  #frames = 0;

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
    this.#frames += FRAMES_PER_STEP;
    this.append(progressBlock(this.#frames));
    return this.#frames;
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
    this.#frames = 2;
    this.write(JOB, progressBlock(this.#frames));
  }

  /** Posts a body as ffmpeg does, and breaks off where it ends. */
  async post(job: string, text: string): Promise<void> {
    using connection = await Deno.connect({ port: this.exporter.port });
    const body = new TextEncoder().encode(text);
    const head = `POST /progress?job_id=${job} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`;
    const chunk = `${body.length.toString(16)}\r\n${text}\r\n`;
    for (let rest = new TextEncoder().encode(head + chunk); rest.length > 0;) {
      rest = rest.subarray(await connection.write(rest));
    }
    // A request that breaks off before it was begun to be answered never reaches the exporter.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  hide(): void {
    Deno.renameSync(this.folder, `${this.folder}.away`);
  }

  show(): void {
    Deno.renameSync(`${this.folder}.away`, this.folder);
    if (this.#frames === 0) this.step();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exporter[Symbol.asyncDispose]();
    for (const path of [this.folder, `${this.folder}.away`]) {
      await Deno.remove(path, { recursive: true }).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }
}
