/**
 * Following a progress folder: what is new is read once, what is old is no job, what vanishes is gone.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { JobCollector } from "../../exporters/ffmpeg/collector.ts";
import { PlainFile } from "../../exporters/ffmpeg/plain_file.ts";
import { IDLE_AFTER_MS, IDLE_PERIOD_MS } from "../../exporters/ffmpeg/progress_file.ts";
import { ProgressFolder } from "../../exporters/ffmpeg/progress_folder.ts";
import { parseNameGlob } from "../../exporters/ffmpeg/name_glob.ts";
import { bytes, progressText, TestBoard } from "../support/ffmpeg_jobs.ts";

/** The clocks of a {@linkcode Folder}, beside those of the test, in milliseconds. */
interface Clocks {
  /** What both are ahead. */
  aheadMs: number;
  /** By how much the system's clock was set. */
  stepMs: number;
}

/** A folder of progress files under a board whose clock stands at now. */
class Folder extends TestBoard implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "ffmpeg-progress-" });
  readonly clocks: Clocks;
  follower: ProgressFolder;

  constructor(clocks: Clocks = { aheadMs: 0, stepMs: 0 }) {
    super({
      nowMs: () => Date.now() + clocks.aheadMs,
      wallClockMs: () => Date.now() + clocks.aheadMs + clocks.stepMs,
    });
    this.clocks = clocks;
    this.follower = new ProgressFolder(this.intake, this.path);
  }

  write(name: string, text: string, options: Deno.WriteFileOptions = { append: true }): void {
    Deno.writeTextFileSync(`${this.path}/${name}`, text, options);
  }

  /** Lets a second pass, at whose end these files were written. */
  passSecond(...names: string[]): void {
    this.clocks.aheadMs += 1000;
    for (const name of names) this.age(name, -this.clocks.aheadMs / 1000);
  }

  age(name: string, seconds: number): void {
    const time = new Date(Date.now() - seconds * 1000);
    Deno.utimeSync(`${this.path}/${name}`, time, time);
  }

  look(): void {
    this.follower.look();
  }

  /** States and frames of all jobs. */
  shown(): string[] {
    return this.jobs().map((job) =>
      `${job.id} ${job.state(this.nowMs(), this.stallAfterMs)} ${job.counters.frames ?? "-"}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

Deno.test("ProgressFolder follows files as they grow, also where a write ends within a line", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("a?encoder=libx264&width=64", "");
  folder.look();
  assertEquals(folder.shown(), [], "it is a job from its first report on");
  const text = progressText(25) + progressText(50);
  folder.write("a?encoder=libx264&width=64", text.slice(0, 300));
  folder.look();
  folder.look();
  assertEquals(folder.shown(), ["a running 25"]);
  folder.write("a?encoder=libx264&width=64", text.slice(300) + progressText(60, { end: true }));
  folder.look();
  assertEquals(folder.shown(), ["a ended 60"]);
  assertEquals(folder.intake.blocks, 3);
  assertEquals(folder.totals.frames, 60);
  assertEquals(folder.jobs()[0]?.description.info.encoder, "libx264");
});

Deno.test("ProgressFolder takes no old file for a job until it grows", async () => {
  await using folder = new Folder();
  folder.write("before-reboot", progressText(100));
  folder.age("before-reboot", 3600);
  folder.look();
  assertEquals(folder.shown(), []);
  folder.write("before-reboot", progressText(125) + progressText(150));
  folder.clocks.aheadMs = IDLE_PERIOD_MS;
  folder.look();
  assertEquals(folder.shown(), ["before-reboot running 150"]);
  folder.write("before-reboot", progressText(175));
  folder.passSecond("before-reboot");
  folder.look();
  assertEquals(folder.totals.frames, 25);
});

Deno.test("ProgressFolder joins a job under way without counting twice what it did before", async () => {
  await using folder = new Folder();
  folder.write("long", Array.from({ length: 2000 }, (_, index) => progressText(index * 12)).join(""));
  folder.write("short", progressText(100) + progressText(200) + progressText(300));
  folder.look();
  folder.write("long", progressText(24_000));
  folder.write("short", progressText(310));
  folder.passSecond("long", "short");
  folder.look();
  assertEquals(folder.shown(), ["long running 24000", "short running 310"]);
  assertEquals(folder.totals.frames, 24_000 - 1999 * 12 + 10);
});

Deno.test("ProgressFolder shows a job that stood still before the exporter came as stalled", async () => {
  await using folder = new Folder();
  folder.write("stuck", progressText(100));
  folder.age("stuck", 30);
  folder.look();
  assertEquals(folder.shown(), ["stuck stalled 100"]);
});

Deno.test("ProgressFolder notices another run in a file: longer, shorter or as another file", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("a", progressText(100) + progressText(200));
  folder.look();
  folder.write("a", progressText(10), {});
  folder.look();
  assertEquals(folder.shown(), ["a running 10"]);
  Deno.removeSync(`${folder.path}/a`);
  folder.write("b", progressText(7) + progressText(8) + progressText(9, { end: true }));
  Deno.renameSync(`${folder.path}/b`, `${folder.path}/a`);
  folder.look();
  assertEquals(folder.shown(), ["a ended 9"]);
  assertEquals(folder.totals.frames, 219);
  assertEquals(folder.finished, { ended: 1, lost: 2, stalled: 0 });
});

Deno.test("ProgressFolder notices another run in a file of the same length", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("a", progressText(10, { end: true }));
  folder.age("a", 5);
  folder.look();
  folder.write("a", progressText(20, { end: true }), {});
  folder.look();
  folder.look();
  assertEquals(folder.shown(), ["a ended 20"]);
  assertEquals(folder.finished.ended, 2);
});

Deno.test("ProgressFolder counts a deleted file's job as lost unless it had ended", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("cut", progressText(10));
  folder.write("done", progressText(10, { end: true }));
  folder.look();
  Deno.removeSync(`${folder.path}/cut`);
  Deno.removeSync(`${folder.path}/done`);
  folder.look();
  assertEquals(folder.finished, { ended: 1, lost: 1, stalled: 0 });
});

Deno.test("ProgressFolder leaves hidden files, folders, links and pipes alone", async () => {
  await using folder = new Folder();
  folder.write(".hidden", progressText(1));
  Deno.mkdirSync(`${folder.path}/folder`);
  Deno.symlinkSync("/etc/passwd", `${folder.path}/link`);
  new Deno.Command("mkfifo", { args: [`${folder.path}/pipe`] }).outputSync();
  folder.look();
  assertEquals([folder.shown(), folder.follower.collect().problems], [[], []]);
});

Deno.test("ProgressFolder reports what is wrong, hides what it cannot read, and takes it up again", async () => {
  await using folder = new Folder();
  folder.write("a", progressText(10));
  folder.look();
  Deno.renameSync(folder.path, `${folder.path}-away`);
  folder.look();
  const { up, problems } = folder.follower.collect();
  assertEquals([up, problems.map(({ reason }) => reason)], [false, ["missing"]]);
  assertStringIncludes(problems[0]?.message ?? "", "create it");
  assertEquals(folder.shown(), []);
  Deno.renameSync(`${folder.path}-away`, folder.path);
  folder.write("a", progressText(20));
  folder.clocks.aheadMs = 1000;
  assertEquals(folder.follower.collect().problems, []);
  assertEquals(folder.shown(), ["a running 20"]);
  assertEquals(folder.totals.frames, 20 - 10);
});

Deno.test("ProgressFolder counts what is read later though the file's time stands still", async () => {
  await using folder = new Folder();
  const time = new Date();
  for (const frame of [10, 20]) {
    folder.write("a", progressText(frame));
    // The kernel's clock for files ticks every few milliseconds.
    Deno.utimeSync(`${folder.path}/a`, time, time);
    folder.look();
    folder.clocks.aheadMs += 1000;
  }
  assertEquals(folder.shown(), ["a running 20"]);
  assertEquals(folder.totals.frames, 20 - 10);
});

Deno.test("ProgressFolder takes a refused file once there is room, and counts the refusal once", async () => {
  await using folder = new Folder();
  folder.look();
  const blockers = Array.from({ length: 1000 }, (_, index) => folder.begin(`blocker-${index}`));
  for (let frame = 10; frame < 50; frame += 10) {
    folder.write("late", progressText(frame));
    folder.look();
  }
  assertEquals(folder.intake.rejected.max_jobs, 1);
  if (blockers[0]) folder.close(blockers[0]);
  folder.write("late", progressText(50) + progressText(60));
  folder.look();
  assert(folder.shown().includes("late running 60"));
});

Deno.test("JobCollector reads the folder itself: no other collector has to come first", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("a", progressText(10));
  folder.clocks.aheadMs = 1000;
  const refresh = (): void => folder.follower.refresh();
  new JobCollector({ intake: folder.intake, openConnections: () => 0, refresh }).collect();
  assertEquals(folder.shown(), ["a running 10"]);
});

Deno.test("PlainFile opens neither a pipe nor a link that took the file's place", async () => {
  await using folder = new Folder();
  const path = `${folder.path}/a`;
  folder.write("a", "report");
  const info = Deno.lstatSync(path);
  {
    using file = PlainFile.open(path, info);
    assertEquals(file?.read(new Uint8Array(100), 2), 4);
  }
  for (const args of [["mkfifo", path], ["ln", "-s", "/etc/passwd", path], ["ln", "-s", "/dev/zero", path]]) {
    Deno.removeSync(path);
    await new Deno.Command(args[0] ?? "", { args: args.slice(1) }).output();
    assertEquals(PlainFile.open(path, info), undefined, args.join(" "));
  }
  Deno.removeSync(path);
  assertThrows(() => PlainFile.open(path, info), Deno.errors.NotFound);
});

/** Writes a file as ffmpeg does at its start: truncated, and the same inode. */
function writeRun(folder: Folder, name: string, ...frames: number[]): void {
  const blocks = frames.map((frame, index) => progressText(frame, { end: index === frames.length - 1 }));
  folder.write(name, blocks.join(""), { append: false });
}

Deno.test("ProgressFolder goes on with a file that is truncated under its writer, looked at empty or not", async () => {
  for (const isSeenEmpty of [true, false]) {
    await using folder = new Folder();
    folder.look();
    using writer = Deno.openSync(`${folder.path}/a`, { write: true, create: true });
    const report = (frame: number): void => void writer.writeSync(bytes(progressText(frame)));
    for (let frame = 25; frame <= 2500; frame += 25) report(frame);
    folder.look();
    const [job] = folder.jobs();
    Deno.truncateSync(`${folder.path}/a`);
    if (isSeenEmpty) folder.look();
    for (let frame = 2525; frame <= 2600; frame += 25) {
      report(frame);
      folder.look();
    }
    assertEquals(folder.shown(), ["a running 2600"]);
    assertEquals([folder.jobs()[0] === job, folder.totals.frames, folder.intake.parseErrors], [
      true,
      2600,
      0,
    ]);
    // Whoever begins now writes from the start.
    Deno.truncateSync(`${folder.path}/a`);
    folder.write("a", progressText(5));
    folder.look();
    assertEquals([folder.shown(), folder.totals.frames], [["a running 5"], 2605]);
  }
});

Deno.test("ProgressFolder reads the header of a report that it joins", async () => {
  await using folder = new Folder();
  const log = Deno.readTextFileSync(new URL("../fixtures/ffmpeg/reports/7.1-encode.log", import.meta.url));
  const head = log.slice(0, log.indexOf("frame="));
  const status = (frame: number): string =>
    `frame=${frame} fps= 25 q=21.0 size=       0kB time=00:00:02.36 bitrate=   0.2kbits/s speed=0.936x    \r`;
  folder.write("a", head + Array.from({ length: 2000 }, (_, index) => status(index)).join(""));
  folder.look();
  const info = folder.jobs()[0]?.description.info;
  assertEquals([info?.encoder, info?.width, folder.jobs()[0]?.command?.encoder], [
    "libx264",
    "160",
    "libx264",
  ]);
  assertEquals([folder.shown(), folder.totals.frames], [["a running 1999"], 0]);
});

Deno.test("ProgressFolder takes no report for a job that encodes nothing, and follows only files that match", async () => {
  await using folder = new Folder();
  folder.follower = new ProgressFolder(folder.intake, folder.path, parseNameGlob("FFmpeg.*.log"));
  folder.look();
  const reports = new URL("../fixtures/ffmpeg/reports/", import.meta.url);
  const copy = (from: string, to: string): void =>
    folder.write(to, Deno.readTextFileSync(new URL(from, reports)));
  copy("5.1-version.log", "FFmpeg.version.log");
  copy("5.1-probe.log", "FFmpeg.probe.log");
  copy("5.1-encode.log", "FFmpeg.Transcode.log");
  copy("5.1-encode.log", "other.log");
  folder.look();
  assertEquals(folder.shown(), ["FFmpeg.Transcode.log ended 100"]);
});

Deno.test("ProgressFolder counts each run in one file, whether shorter, longer or of the same length", async () => {
  await using folder = new Folder();
  folder.look();
  let frames = 0;
  for (
    const run of [[1, 30], [1, 600, 1200, 1800], [100, 600, 1200, 180_000], [100, 600, 1200, 180_001], [5]]
  ) {
    writeRun(folder, "slot", ...run);
    folder.passSecond("slot");
    folder.look();
    frames += run.at(-1) ?? 0;
  }
  assertEquals(folder.totals.frames, frames);
  assertEquals(folder.finished, { ended: 5, lost: 0, stalled: 0 });
});

Deno.test("ProgressFolder notices a run that takes the place of one without an end, though its file is longer", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("slot", progressText(100) + progressText(200));
  folder.look();
  folder.write("slot", [110, 210, 310].map((frame) => progressText(frame)).join(""), { append: false });
  folder.passSecond("slot");
  folder.look();
  assertEquals(folder.totals.frames, 200 + 310);
  assertEquals(folder.finished.lost, 1);
});

Deno.test("ProgressFolder counts ten runs that fail before their first report as ten", async () => {
  await using folder = new Folder();
  folder.look();
  for (let run = 0; run < 10; run++) {
    // The removal and the new file fall between two looks.
    if (run > 0) Deno.removeSync(`${folder.path}/crash`);
    folder.write("crash", "");
    folder.clocks.aheadMs += 500;
    folder.follower.lookFor("crash");
    folder.exit("crash", 1, 4000 + run);
  }
  assertEquals(folder.exited, { success: 0, failure: 10 });
});

Deno.test("ProgressFolder counts runs and totals where the clock was ahead at the start and was set right", async () => {
  await using folder = new Folder({ aheadMs: 0, stepMs: 180_000 });
  folder.look();
  folder.clocks.stepMs = 0;
  for (const run of [1, 2, 3]) {
    writeRun(folder, `short-${run}`, 30, 60);
    folder.clocks.aheadMs += 500;
    folder.age(`short-${run}`, -folder.clocks.aheadMs / 1000);
    folder.look();
  }
  assertEquals(folder.totals.frames, 180);
  assertEquals(folder.finished.ended, 3);
});

Deno.test("times of jobs are published by the clock as it is set, and stand still while it is not", async () => {
  await using folder = new Folder({ aheadMs: 0, stepMs: -86_400_000 });
  const job = folder.begin("a");
  folder.send(job, { frames: 1 });
  const series = 'ffmpeg_job_last_advance_timestamp_seconds{job_id="a"}';
  assertAlmostEquals(await folder.value(series) ?? NaN, Date.now() / 1000 - 86_400, 1);
  folder.clocks.stepMs = 0;
  const right = await folder.value(series);
  assertAlmostEquals(right ?? NaN, Date.now() / 1000, 1);
  folder.clocks.aheadMs = 3000;
  assertEquals(await folder.value(series), right);
});

Deno.test("ProgressFolder takes no file for one of long ago that came while the exporter stood still", async () => {
  await using folder = new Folder();
  folder.look();
  writeRun(folder, "short", 30, 60);
  folder.write("live", progressText(25));
  // The machine was stopped for more than a minute meanwhile.
  folder.clocks.aheadMs = 66_000;
  folder.look();
  assertEquals(folder.shown(), ["live stalled 25", "short ended 60"]);
  assertEquals(folder.totals.frames, 85);
});

Deno.test("an encode that is over within two looks took the time between its file's birth and its last report", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("thumbnail", "");
  const { birthtime } = Deno.lstatSync(`${folder.path}/thumbnail`);
  assert(birthtime);
  writeRun(folder, "thumbnail", 1);
  const written = new Date(birthtime.getTime() + 139);
  Deno.utimeSync(`${folder.path}/thumbnail`, written, written);
  folder.clocks.aheadMs = 500;
  folder.look();
  assertAlmostEquals(
    await folder.value('ffmpeg_job_encoding_seconds_total{job_id="thumbnail"}') ?? NaN,
    0.139,
    0.001,
  );
});

Deno.test("encoding time goes on over a restart of the exporter, though ffmpeg rounds its averages", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("a", "");
  folder.look();
  // After 1023.4 s at a true speed of 1.4452; ffmpeg rounds it to 1.45, which makes 1020 s of them.
  const block = progressText(36_972, { fps: 25 }).replace("fps=25.00", "fps=36.13").replace(
    "speed=1.00x",
    "speed=1.45x",
  );
  folder.clocks.aheadMs = 1_023_400;
  folder.write("a", block);
  folder.age("a", -folder.clocks.aheadMs / 1000);
  folder.look();
  const series = 'ffmpeg_job_encoding_seconds_total{job_id="a"}';
  const before = await folder.value(series) ?? NaN;
  const restarted = new Folder(folder.clocks);
  restarted.follower = new ProgressFolder(restarted.intake, folder.path);
  restarted.look();
  const after = await restarted.value(series) ?? NaN;
  assertAlmostEquals(before, 1023.4, 0.1);
  assert(after >= before - 0.001 && after < before + 1, `${before} -> ${after}`);
  Deno.removeSync(restarted.path);
});

Deno.test("encoding time is that of the averages where the file is older than its run can be", async () => {
  await using folder = new Folder();
  folder.write("slot", progressText(25 * 3));
  // The first of many runs in this file began an hour ago.
  folder.clocks.aheadMs = 3_600_000;
  folder.age("slot", -3600);
  folder.look();
  assertAlmostEquals(await folder.value('ffmpeg_job_encoding_seconds_total{job_id="slot"}') ?? NaN, 3, 0.5);
});

Deno.test("ProgressFolder does not count again what had ended before the exporter came", async () => {
  await using folder = new Folder();
  writeRun(folder, "done", 30, 60);
  folder.look();
  assertEquals(folder.shown(), ["done ended 60"]);
  assertEquals(folder.finished.ended, 0);
});

Deno.test("ProgressFolder reads a file that grew by a terabyte from its end, and no more than the rest of it", async () => {
  await using folder = new Folder();
  folder.look();
  for (let index = 0; index < 50; index++) {
    folder.write(`sparse-${index}`, "");
    Deno.truncateSync(`${folder.path}/sparse-${index}`, 1e12);
  }
  const startMs = performance.now();
  folder.look();
  folder.look();
  assert(performance.now() - startMs < 5_000);
  folder.write("sparse-0", progressText(25) + progressText(50));
  folder.passSecond("sparse-0");
  folder.look();
  assert(folder.shown().includes("sparse-0 running 50"), folder.shown()[0]);
});

Deno.test("ProgressFolder looks at idle files every few seconds, at one job's alone for its exit code", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("a", progressText(10));
  folder.write("b", progressText(10));
  folder.look();
  folder.clocks.aheadMs = IDLE_AFTER_MS + 1000;
  folder.look();
  for (const name of ["a", "b"]) folder.write(name, progressText(20));
  folder.follower.lookFor("a");
  const frames = (): (number | undefined)[] => folder.jobs().map(({ counters }) => counters.frames);
  assertEquals(frames(), [20, 10]);
  folder.clocks.aheadMs += IDLE_PERIOD_MS + 1000;
  folder.look();
  assertEquals(frames(), [20, 20]);
});

Deno.test("ProgressFolder reads all files in turn though one look is not enough for all", async () => {
  await using folder = new Folder();
  folder.look();
  const size = 1_000_000;
  for (let index = 0; index < 30; index++) {
    folder.write(`large-${index}`, progressText(10) + "x=1\n".repeat(size / 4) + progressText(20));
  }
  folder.look();
  const read = (): number => folder.jobs().filter(({ counters }) => counters.frames === 20).length;
  assert(read() < 30, "one look has a bound");
  for (let look = 0; look < 30; look++) folder.look();
  assertEquals(read(), 30);
});

Deno.test("a progress file's name may be of any script, hold no id, and must be UTF-8", async () => {
  await using folder = new Folder();
  folder.look();
  folder.write("фильм1", progressText(1));
  folder.write("книга1", progressText(2));
  folder.write("?encoder=x", progressText(3));
  await new Deno.Command("sh", { args: ["-c", `touch "$(printf '${folder.path}/caf\\351')"`] }).output();
  folder.look();
  assertEquals(folder.shown(), ["anonymous-1 running 3", "книга1 running 2", "фильм1 running 1"]);
  const { problems, up } = folder.follower.collect();
  assertEquals([up, problems.map(({ reason }) => reason)], [true, ["invalid"]]);
  assertStringIncludes(problems[0]?.message ?? "", "not UTF-8");
});

Deno.test("ProgressFolder sees what comes and goes in a folder that has not changed for long", async () => {
  await using folder = new Folder();
  folder.write("a", progressText(10));
  const longAgo = new Date(Date.now() - 3_600_000);
  Deno.utimeSync(folder.path, longAgo, longAgo);
  folder.look();
  folder.write("a", progressText(20));
  folder.passSecond("a");
  folder.look();
  assertEquals(folder.shown(), ["a running 20"]);
  folder.write("b", progressText(5));
  folder.look();
  assertEquals(folder.shown(), ["a running 20", "b running 5"]);
  Deno.removeSync(`${folder.path}/a`);
  folder.look();
  assertEquals(folder.shown(), ["a lost 20", "b running 5"]);
});
