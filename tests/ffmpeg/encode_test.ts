/**
 * Real encodes beside the real exporter: neither exit codes nor outputs change, and the metrics end where the output
 * does by ffprobe.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { eventually, type ExporterProcess, ROOT, startExporter } from "../support/exporter_process.ts";
import {
  AUDIO,
  digest,
  encode,
  type EncodeOptions,
  pictures,
  probe,
  startEncode,
  tone,
  VIDEO,
} from "../support/ffmpeg_encode.ts";
import { valueOf } from "../support/ffmpeg_jobs.ts";
import { needs, needsNamespaces } from "../support/programs.ts";

const FRAME_SECONDS = 0.04;
/** Of the tone: 1024 samples at 44.1 kHz. */
const AUDIO_FRAME_SECONDS = 1024 / 44_100;

/** A folder for outputs with one for progress files, and an exporter that follows it. */
class Worker implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "ffmpeg-test-" });
  readonly progress = `${this.folder}/progress`;
  #exporter: ExporterProcess | undefined;

  constructor() {
    Deno.mkdirSync(this.progress);
  }

  async start(...args: string[]): Promise<this> {
    this.#exporter = await startExporter("ffmpeg", {
      permissions: ["--no-prompt", "--allow-net=0.0.0.0", `--allow-read=${this.progress}`],
      args: [`--progress-dir=${this.progress}`, "--stall-after=1s", ...args],
    });
    return this;
  }

  get exporter(): ExporterProcess {
    assert(this.#exporter);
    return this.#exporter;
  }

  async killExporter(): Promise<void> {
    await this.#exporter?.[Symbol.asyncDispose]();
  }

  /** Waits until a job is in a state, and returns the page. */
  async until(job: string, state: string): Promise<string> {
    return await eventually(async () => {
      const page = await this.exporter.metrics();
      assertEquals(valueOf(page, `ffmpeg_job_state{job_id="${job}",state="${state}"}`), 1, page);
      return page;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killExporter();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Fails unless the page ends where the output does. */
async function assertEndsLike(page: string, job: string, path: string, frameSeconds: number): Promise<void> {
  const { frames, endSeconds } = await probe(path);
  assertEquals(valueOf(page, `ffmpeg_job_frames_total{job_id="${job}"}`), frames || undefined);
  const media = valueOf(page, `ffmpeg_job_media_seconds_total{job_id="${job}"}`) ?? NaN;
  assertAlmostEquals(media, endSeconds, frameSeconds + 0.001);
}

/** Encodes that end by themselves: the output first among the files, and how long a frame of it is. */
const PLAIN: readonly {
  job: string;
  args: (name: string) => string[];
  output: string;
  frameSeconds: number;
}[] = [
  {
    job: "normal",
    args: (name) => [...pictures(2), ...tone(2), ...VIDEO, ...AUDIO, `${name}.mp4`],
    output: "mp4",
    frameSeconds: FRAME_SECONDS,
  },
  {
    job: "audio",
    args: (name) => [...tone(5), ...AUDIO, `${name}.m4a`],
    output: "m4a",
    frameSeconds: AUDIO_FRAME_SECONDS,
  },
  {
    job: "outputs",
    args: (
      name,
    ) => [
      ...pictures(2),
      "-map",
      "0:v",
      ...VIDEO,
      `${name}.mp4`,
      "-map",
      "0:v",
      ...VIDEO,
      "-s",
      "64x48",
      `${name}.mkv`,
    ],
    output: "mp4",
    frameSeconds: FRAME_SECONDS,
  },
];

for (const { job, args, output, frameSeconds } of PLAIN) {
  Deno.test({
    name: `ffmpeg with a progress file, ${job}: same exit code, same output, metrics end where it ends`,
    ...needs("ffmpeg", "ffprobe"),
    async fn(): Promise<void> {
      await using worker = await new Worker().start();
      const plain = `${worker.folder}/plain`;
      const watched = `${worker.folder}/watched`;
      const progress = `${worker.progress}/${job}?encoder=libx264&width=160&height=120&duration=2`;
      assertEquals(await encode(args(plain)), 0);
      assertEquals(await encode(["-progress", progress, ...args(watched)]), 0);
      assertEquals(await digest(`${watched}.${output}`), await digest(`${plain}.${output}`));
      const page = await worker.until(job, "ended");
      await assertEndsLike(page, job, `${watched}.${output}`, frameSeconds);
      const size = valueOf(page, `ffmpeg_job_output_bytes_total{job_id="${job}"}`) ?? 0;
      assert(size > 0 && size <= Deno.statSync(`${watched}.${output}`).size);
      assertStringIncludes(page, `ffmpeg_job_info{job_id="${job}",via="file",encoder="libx264"`);
    },
  });
}

Deno.test({
  name: "ffmpeg with a progress file and the null muxer: frames are known, bytes are not",
  ...needs("ffmpeg"),
  async fn(): Promise<void> {
    await using worker = await new Worker().start();
    assertEquals(
      await encode(["-progress", `${worker.progress}/null`, ...pictures(2), "-f", "null", "-"]),
      0,
    );
    const page = await worker.until("null", "ended");
    assertEquals(valueOf(page, 'ffmpeg_job_frames_total{job_id="null"}'), 50);
    assertEquals(valueOf(page, 'ffmpeg_job_output_bytes_total{job_id="null"}'), undefined);
  },
});

Deno.test({
  name: "two encodes at once, by file and by URL: each has its own numbers, the totals have both",
  ...needs("ffmpeg", "ffprobe"),
  async fn(): Promise<void> {
    await using worker = await new Worker().start();
    const { exporter, folder, progress } = worker;
    const realtime = { realtime: true };
    const url = `${exporter.url}/progress?job_id=url&width=160&height=120`;
    const running = [
      startEncode([
        "-progress",
        `${progress}/file`,
        ...pictures(6, realtime),
        ...VIDEO,
        `${folder}/file.mp4`,
      ]),
      startEncode(["-progress", url, ...pictures(5, realtime), ...VIDEO, `${folder}/url.mp4`]),
    ];
    await eventually(async () => {
      const page = await exporter.metrics();
      for (const job of ["file", "url"]) {
        assertAlmostEquals(valueOf(page, `ffmpeg_job_fps{job_id="${job}"}`) ?? NaN, 25, 6);
      }
      assertEquals(valueOf(page, 'ffmpeg_jobs{state="running"}'), 2);
      assertEquals(valueOf(page, "ffmpeg_ingest_open_connections"), 1);
    });
    assertEquals(await Promise.all(running.map(({ code }) => code)), [0, 0]);
    await worker.until("file", "ended");
    const page = await worker.until("url", "ended");
    await assertEndsLike(page, "file", `${folder}/file.mp4`, FRAME_SECONDS);
    await assertEndsLike(page, "url", `${folder}/url.mp4`, FRAME_SECONDS);
    assertEquals(valueOf(page, "ffmpeg_frames_total"), 275);
    assertEquals(valueOf(page, "ffmpeg_pixels_total"), 125 * 160 * 120);
    await Promise.all(running.map(({ log }) => log));
  },
});

Deno.test({
  name: "an encode whose input stalls is shown as stalled and then goes on",
  ...needs("ffmpeg"),
  async fn(): Promise<void> {
    await using worker = await new Worker().start();
    const raw = ["-f", "rawvideo", "-s", "64x48", "-r", "25", "-i", "pipe:0"];
    const args = [...raw, ...VIDEO, `${worker.folder}/stall.mp4`];
    const stalling = startEncode(["-progress", `${worker.progress}/stall`, ...args], { stdin: "piped" });
    const frame = new Uint8Array(64 * 48 * 1.5);
    const writer = stalling.child.stdin.getWriter();
    let frames = 0;
    const feed = async (): Promise<void> => {
      await writer.write(frame);
      frames++;
    };
    // ffmpeg 4.3 reports only between two reads, half a second after its start at the earliest.
    await eventually(async () => {
      await feed();
      assert(Deno.statSync(`${worker.progress}/stall`).size > 1);
    });
    await worker.until("stall", "stalled");
    await feed();
    await writer.close();
    assertEquals(await stalling.code, 0);
    await stalling.log;
    const page = await worker.until("stall", "ended");
    assertEquals(valueOf(page, 'ffmpeg_job_frames_total{job_id="stall"}'), frames);
  },
});

for (const [signal, code, state] of [["SIGTERM", 255, "ended"], ["SIGKILL", 137, "stalled"]] as const) {
  Deno.test({
    name: `an encode that gets ${signal} exits as it would, and is shown as ${state}`,
    ...needs("ffmpeg"),
    async fn(): Promise<void> {
      await using worker = await new Worker().start();
      const args = [...pictures(30, { realtime: true }), ...VIDEO];
      const watched = ["-progress", `${worker.progress}/killed`, ...args, `${worker.folder}/watched.mkv`];
      const running = [startEncode(watched), startEncode([...args, `${worker.folder}/plain.mkv`])];
      await eventually(async () => {
        const page = await worker.exporter.metrics();
        assert((valueOf(page, 'ffmpeg_job_frames_total{job_id="killed"}') ?? 0) > 12);
      });
      for (const { child } of running) child.kill(signal);
      assertEquals(await Promise.all(running.map((each) => each.code)), [code, code]);
      await Promise.all(running.map(({ log }) => log));
      const page = await worker.until("killed", state);
      if (state === "ended") {
        await assertEndsLike(page, "killed", `${worker.folder}/watched.mkv`, FRAME_SECONDS);
      }
      await Deno.remove(`${worker.progress}/killed`);
      if (state === "stalled") await worker.until("killed", "lost");
    },
  });
}

Deno.test({
  name: "an encode that fills its disk fails as it would, and its last report is an end all the same",
  ignore: needs("ffmpeg", "unshare").ignore || needsNamespaces().ignore,
  async fn(): Promise<void> {
    await using worker = await new Worker().start();
    const disk = `${worker.folder}/disk`;
    await Deno.mkdir(disk);
    const options: EncodeOptions = {
      prefix: ["unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=256k tmpfs "$0" && exec "$@"`, disk],
    };
    const args = [...pictures(2), "-c:v", "rawvideo", `${disk}/out.nut`];
    const plain = await encode(args, options);
    assertEquals(await encode(["-progress", `${worker.progress}/full`, ...args], options), plain);
    await worker.until("full", "ended");
  },
});

Deno.test({
  name: "an exporter that starts late, is killed and comes back costs the encode nothing and catches up",
  ...needs("ffmpeg", "ffprobe"),
  async fn(): Promise<void> {
    await using worker = new Worker();
    const args = (name: string): string[] => [
      ...pictures(4, { realtime: true }),
      ...VIDEO,
      `${worker.folder}/${name}.mp4`,
    ];
    const plain = startEncode(args("plain"));
    const watched = startEncode(["-progress", `${worker.progress}/late`, ...args("watched")]);
    await eventually(() => assert(Deno.statSync(`${worker.progress}/late`).size > 300));
    await worker.start();
    await worker.until("late", "running");
    await worker.killExporter();
    await worker.start();
    const middle = await worker.until("late", "running");
    const encoding = valueOf(middle, 'ffmpeg_job_encoding_seconds_total{job_id="late"}') ?? NaN;
    assert(encoding > 0.5 && encoding < 10, String(encoding));
    assertEquals(await Promise.all([plain.code, watched.code]), [0, 0]);
    await Promise.all([plain.log, watched.log]);
    assertEquals(await digest(`${worker.folder}/watched.mp4`), await digest(`${worker.folder}/plain.mp4`));
    const page = await worker.until("late", "ended");
    await assertEndsLike(page, "late", `${worker.folder}/watched.mp4`, FRAME_SECONDS);
    assert((valueOf(page, "ffmpeg_frames_total") ?? 0) < 100);
  },
});

Deno.test({
  name: "over HTTP: a job that is killed is lost, one that is refused encodes on, credentials do not hang it",
  ...needs("ffmpeg"),
  async fn(): Promise<void> {
    await using worker = await new Worker().start("--max-jobs=1");
    const { exporter, folder } = worker;
    const endless = startEncode([
      "-progress",
      `${exporter.url}/progress?job_id=cut`,
      ...pictures(30, { realtime: true }),
      ...VIDEO,
      `${folder}/cut.mkv`,
    ]);
    await worker.until("cut", "running");
    const url = `${exporter.url}/progress?job_id=refused`;
    assertEquals(await encode(["-progress", url, ...pictures(1), ...VIDEO, `${folder}/refused.mp4`]), 0);
    assertEquals(valueOf(await exporter.metrics(), 'ffmpeg_ingest_rejected_total{reason="max_jobs"}'), 1);
    endless.child.kill("SIGKILL");
    assertEquals(await endless.code, 137);
    await endless.log;
    await worker.until("cut", "lost");
    const secret = `http://user:secret@127.0.0.1:${exporter.port}/progress?job_id=secret`;
    assertEquals(await encode(["-progress", secret, ...pictures(1), ...VIDEO, `${folder}/secret.mp4`]), 0);
    await worker.until("secret", "ended");
  },
});

Deno.test({
  name: "over HTTP: ffmpeg does not start without the exporter, and goes on when it dies",
  ...needs("ffmpeg"),
  async fn(): Promise<void> {
    await using worker = await new Worker().start();
    const { exporter, folder } = worker;
    const progress = ["-progress", `${exporter.url}/progress?job_id=a`];
    const running = startEncode([
      ...progress,
      ...pictures(2, { realtime: true }),
      ...VIDEO,
      `${folder}/a.mp4`,
    ]);
    await worker.until("a", "running");
    await worker.killExporter();
    assertEquals(await running.code, 0);
    await running.log;
    assertEquals((await probe(`${folder}/a.mp4`)).frames, 50);
    // 1; since ffmpeg 6 the error's number.
    assertNotEquals(await encode([...progress, ...pictures(1), ...VIDEO, `${folder}/b.mp4`]), 0);
  },
});

Deno.test({
  name: "a pipe through curl and a pipe into standard input bring reports and log lines",
  ...needs("ffmpeg", "curl", "bash"),
  async fn(): Promise<void> {
    await using worker = await new Worker().start();
    const pipe = `ffmpeg -v error -progress pipe:1 ${
      pictures(1).join(" ")
    } -f null - | curl -sS -T - "$1/ingest?job_id=curl"`;
    await new Deno.Command("bash", { args: ["-c", pipe, "bash", worker.exporter.url] }).output();
    await worker.until("curl", "ended");
    const log = `exec "$@" < <(ffmpeg ${pictures(1).join(" ")} -f null - 2>&1)`;
    await using piped = await startExporter("ffmpeg", {
      prefix: ["bash", "-c", log, "bash"],
      permissions: ["--no-prompt", "--allow-net=0.0.0.0"],
      args: ["--stdin"],
    });
    await eventually(async () => {
      const page = await piped.metrics();
      assertEquals(valueOf(page, 'ffmpeg_job_state{job_id="stdin",state="ended"}'), 1);
      assertEquals(valueOf(page, 'ffmpeg_job_frames_total{job_id="stdin"}'), 25);
    });
  },
});

Deno.test({
  name:
    "ffmpeg-job passes on exit codes and signals, reports to the exporter, and needs neither it nor its folder",
  ...needs("ffmpeg", "curl"),
  async fn(): Promise<void> {
    await using worker = await new Worker().start();
    const { exporter, folder, progress } = worker;
    const env = { FFMPEG_PROGRESS_DIR: progress, FFMPEG_EXPORTER: exporter.url };
    const run = (job: string, args: string[], extra = {}): Deno.ChildProcess =>
      new Deno.Command(`${ROOT}scripts/ffmpeg-job`, {
        args: [job, "-v", "error", "-y", ...args],
        env: { ...env, ...extra },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
    const exitOf = async (child: Deno.ChildProcess): Promise<number> => (await child.status).code;
    assertEquals(await exitOf(run("good?width=160", [...pictures(1), ...VIDEO, `${folder}/good.mp4`])), 0);
    const bad = ["-i", `${folder}/nothing.mp4`, "-f", "null", "-"];
    const failure = await encode(bad);
    assertNotEquals(failure, 0);
    assertEquals(await exitOf(run("bad", bad)), failure);
    const long = run("long", [...pictures(30, { realtime: true }), "-f", "null", "-"]);
    // Its file is there before ffmpeg minds signals.
    await eventually(async () => {
      assert((valueOf(await exporter.metrics(), 'ffmpeg_job_frames_total{job_id="long"}') ?? 0) > 0);
    });
    long.kill("SIGTERM");
    assertEquals(await exitOf(long), 255);
    const page = await worker.until("long", "ended");
    assertEquals(valueOf(page, 'ffmpeg_job_exit_code{job_id="good"}'), 0);
    assertEquals(valueOf(page, 'ffmpeg_job_frames_total{job_id="good"}'), 25);
    assertEquals(valueOf(page, 'ffmpeg_job_exit_code{job_id="bad"}'), failure);
    assertEquals(valueOf(page, 'ffmpeg_job_exit_code{job_id="long"}'), 255);
    assertEquals(valueOf(page, 'ffmpeg_jobs_exited_total{result="failure"}'), 2);
    assertEquals([...Deno.readDirSync(progress)], []);
    await worker.killExporter();
    const nowhere = { FFMPEG_PROGRESS_DIR: `${folder}/nowhere` };
    assertEquals(await exitOf(run("alone", [...pictures(1), ...VIDEO, `${folder}/alone.mp4`], nowhere)), 0);
    assertEquals((await probe(`${folder}/alone.mp4`)).frames, 25);
  },
});
