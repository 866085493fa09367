/**
 * An exporter that sees the processes of this machine, and ffmpegs of the test's own beside it.
 *
 * @module
 */
import { assert } from "@std/assert";
import { CATALOG } from "../../exporters/catalog.ts";
import { denoFlags } from "../../lib/command_line.ts";
import { eventually, type ExporterProcess, startExporter } from "./exporter_process.ts";
import { pictures } from "./ffmpeg_encode.ts";
import { valueOf } from "./ffmpeg_jobs.ts";

/** Shows /proc at a folder, in a mount namespace of its own, and becomes a command. */
export const BIND_PROC = 'mount --bind /proc "$1" && shift && exec "$@"';

/** What a test starts ffmpeg with. */
export interface FfmpegOptions {
  readonly env?: Record<string, string>;
  /** Arguments before the input. */
  readonly before?: readonly string[];
  /** Arguments after the input; a null output if not given. */
  readonly after?: readonly string[];
  readonly program?: string;
  readonly stdout?: "null" | "piped";
}

/** A worker with an exporter. */
export class ProcessWorker implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "ffmpeg-processes-" });
  readonly progress = `${this.folder}/progress`;
  readonly tree = `${this.folder}/host-proc`;
  readonly #children: Deno.ChildProcess[] = [];
  readonly #pipes: ReadableStream[] = [];
  #exporter: ExporterProcess | undefined;

  constructor() {
    Deno.mkdirSync(this.progress);
    Deno.mkdirSync(this.tree);
  }

  /** Starts the exporter, with the permissions that its flags grant. */
  async start(...args: string[]): Promise<this> {
    const all = [
      ...["--host=127.0.0.1", "--port=0", `--progress-dir=${this.progress}`, `--processes=${this.tree}`],
      ...["--stall-after=2s", "--log.level=debug", ...args],
    ];
    this.#exporter = await startExporter("ffmpeg", {
      prefix: ["unshare", "--mount", "sh", "-c", BIND_PROC, "sh", this.tree],
      permissions: denoFlags(CATALOG.ffmpeg, all),
      args: all,
    });
    return this;
  }

  /** The exporter. */
  get exporter(): ExporterProcess {
    assert(this.#exporter);
    return this.#exporter;
  }

  /** Ends the exporter. */
  async stopExporter(): Promise<void> {
    await this.#exporter?.[Symbol.asyncDispose]();
  }

  /** Starts an encode of a minute in realtime. */
  ffmpeg(
    { env = {}, before = [], after = ["-f", "null", "-"], program = "ffmpeg", stdout = "null" }:
      FfmpegOptions = {},
  ): Deno.ChildProcess {
    const child = new Deno.Command(program, {
      args: ["-v", "error", "-nostdin", "-y", ...before, ...pictures(60, { realtime: true }), ...after],
      env,
      cwd: this.folder,
      stdin: "null",
      stdout,
      stderr: "null",
    }).spawn();
    this.#children.push(child);
    if (stdout === "piped") this.#pipes.push(child.stdout);
    return child;
  }

  /** Waits until a series has a value. */
  async until(series: string, value: number, deadlineMs?: number): Promise<string> {
    return await eventually(async () => {
      const page = await this.exporter.metrics();
      assert(valueOf(page, series) === value, `${series} is ${valueOf(page, series)}\n${page}`);
      return page;
    }, deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
      await child.status;
    }
    for (const pipe of this.#pipes) await pipe.cancel();
    await this.stopExporter();
    await Deno.remove(this.folder, { recursive: true });
  }
}
