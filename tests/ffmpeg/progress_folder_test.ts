/**
 * Following a progress folder: what is new is read once, what is old is no job, what vanishes is gone.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { JobCollector } from "../../exporters/ffmpeg/collector.ts";
import { ProgressFolder } from "../../exporters/ffmpeg/progress_folder.ts";
import { progressText, TestBoard } from "../support/ffmpeg_jobs.ts";

/** A folder of progress files under a board whose clock stands at now. */
class Folder extends TestBoard implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "ffmpeg-progress-" });
  readonly follower: ProgressFolder;

  constructor() {
    super({ nowMs: () => Date.now() + this.aheadMs });
    this.follower = new ProgressFolder(this.intake, this.path);
  }

  aheadMs = 0;

  write(name: string, text: string, options: Deno.WriteFileOptions = { append: true }): void {
    Deno.writeTextFileSync(`${this.path}/${name}`, text, options);
  }

  /** Lets a second pass, at whose end these files were written. */
  passSecond(...names: string[]): void {
    this.aheadMs += 1000;
    for (const name of names) this.age(name, -this.aheadMs / 1000);
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
  assertEquals(folder.shown(), ["a running -"]);
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

Deno.test("ProgressFolder notices a file that is written anew, longer, shorter or as another file", async () => {
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

Deno.test("ProgressFolder notices a file that is written anew to the same length", async () => {
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

Deno.test("ProgressFolder says what is wrong, hides what it cannot read, and takes it up again", async () => {
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
  folder.aheadMs = 1000;
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
    folder.aheadMs += 1000;
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
  folder.aheadMs = 1000;
  const refresh = (): void => folder.follower.refresh();
  new JobCollector({ intake: folder.intake, openConnections: () => 0, refresh }).collect();
  assertEquals(folder.shown(), ["a running 10"]);
});
