/**
 * Which process is which job's, what becomes of a job whose process is stopped or gone, and what is published.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Intake, ReportStream } from "../../exporters/ffmpeg/intake.ts";
import type { Job } from "../../exporters/ffmpeg/job.ts";
import { describeJob } from "../../exporters/ffmpeg/job_description.ts";
import { parseNameGlob } from "../../exporters/ffmpeg/name_glob.ts";
import { ProcessWatch } from "../../exporters/ffmpeg/process_watch.ts";
import { Exposition } from "../../lib/exposition.ts";
import { bytes, START_MS, TestBoard, valueOf } from "../support/ffmpeg_jobs.ts";
import { assertGolden } from "../support/golden.ts";
import { CONTAINER_ID, ProcessTree } from "../../simulation/process_tree.ts";
import { needs } from "../support/programs.ts";
import { promtoolCheck } from "../support/promtool.ts";

/** A board and a tree of processes that it watches. */
class Machine implements Disposable {
  readonly board = new TestBoard();
  readonly tree = new ProcessTree();
  readonly watch = new ProcessWatch({ board: this.board, path: this.tree.path, names: ["ffmpeg"] });

  /** Lets time pass on the board and for the processes, and looks. */
  pass(ms: number): void {
    this.board.pass(ms);
    this.tree.setUptime(1000 + (this.board.nowMs() - START_MS) / 1000);
    this.watch.look();
  }

  begin(id: string, options: Parameters<TestBoard["begin"]>[1] = { via: "file" }): Job {
    return this.board.send(this.board.begin(id, options), { frames: 1 });
  }

  async page(): Promise<string> {
    return await new Exposition().render([this.watch.collect().snapshot], "text");
  }

  stateOf(job: Job): string {
    return job.state(this.board.nowMs(), this.board.stallAfterMs);
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
  }
}

function progress(target: string): string[] {
  return ["ffmpeg", "-progress", target, "-i", "rtmp://host/live/STREAMKEY", "-c:v", "libx264", "out"];
}

Deno.test("a process is joined to the job of its progress file, its URL, the pid that the job gave, or its report", () => {
  using machine = new Machine();
  const { tree, board } = machine;
  const file = machine.begin("file one");
  const url = machine.begin("live", { via: "progress" });
  const pid = machine.begin("pid", { via: "ingest", query: "pid=12" });
  const inner = machine.begin("inner", { via: "file", query: "pid=7" });
  const stream = new ReportStream(new Intake(board), { job: board.begin("report", { via: "file" }) });
  stream.push(bytes(
    'ffmpeg started on 2026-11-26 at 19:17:19\nCommand line:\nffmpeg -i "a b" -f null -\nStream mapping:\n' +
      "  Stream #0:0 -> #0:0 (h264 (native) -> h264 (libx264))\n",
  ));
  tree.set(10, { args: progress("/run/ffmpeg-progress/file one?width=3") });
  tree.set(11, { args: progress("http://127.0.0.1:9506/progress?job_id=live&x=y") });
  tree.set(12);
  tree.set(13, { innerPid: 7 });
  tree.set(14, { args: ["ffmpeg", "-i", "a b", "-f", "null", "-"] });
  tree.set(15, { args: ["ffmpeg", "-i", "other", "-f", "null", "-"] });
  machine.pass(1000);
  assertEquals([file, url, pid, inner, stream.job].map((job) => job?.process?.pid), [10, 11, 12, 13, 14]);
});

Deno.test("a pid that two containers have is nobody's, and a process younger than its job is another", () => {
  using machine = new Machine();
  const { tree } = machine;
  const twice = machine.begin("twice", { via: "file", query: "pid=7" });
  const old = machine.begin("old", { via: "file", query: "pid=22" });
  machine.board.pass(60_000);
  tree.set(20, { innerPid: 7, startSeconds: 990 });
  tree.set(21, { innerPid: 7, startSeconds: 990 });
  tree.set(22, { startSeconds: 1050 });
  machine.pass(1000);
  assertEquals([twice.process, old.process], [undefined, undefined]);
});

Deno.test("a job whose process is stopped is paused, whose process goes on runs, whose process is gone is lost in seconds", () => {
  using machine = new Machine();
  const { tree, board } = machine;
  const job = machine.begin("a");
  const args = progress("/x/a");
  tree.set(10, { args, state: "T" });
  machine.pass(1000);
  assertEquals(machine.stateOf(job), "paused");
  machine.pass(60_000);
  assertEquals(machine.stateOf(job), "paused");
  tree.set(10, { args });
  board.send(job, { frames: 2 });
  machine.pass(1000);
  assertEquals(machine.stateOf(job), "running");
  tree.remove(10);
  machine.pass(1000);
  assertEquals(machine.stateOf(job), "lost");
  machine.pass(3000);
  assertEquals([board.finished.lost, job.outcome], [1, "lost"]);
});

Deno.test("a zombie is a process that has ended", async () => {
  using machine = new Machine();
  const job = machine.begin("a");
  const args = progress("/x/a");
  machine.tree.set(10, { args });
  machine.pass(1000);
  machine.tree.set(10, { args, state: "Z" });
  machine.pass(1000);
  assertEquals(machine.stateOf(job), "lost");
  assertEquals(valueOf(await machine.page(), 'ffmpeg_processes{state="zombie",observed="true"}'), 1);
});

Deno.test("a pid that another ffmpeg has is another process: the job before is lost, the next one is its own", () => {
  using machine = new Machine();
  const { tree, board } = machine;
  const first = machine.begin("a");
  tree.set(10, { args: progress("/x/a"), startSeconds: 990 });
  machine.pass(1000);
  tree.set(10, { args: progress("/x/b"), startSeconds: 1001 });
  const second = machine.begin("b");
  machine.pass(1000);
  assertEquals([machine.stateOf(first), machine.stateOf(second)], ["lost", "running"]);
  assert(first.process !== second.process);
  machine.pass(5000);
  assertEquals(board.finished.lost, 1);
});

Deno.test("a second run into the same file is a job with a process of its own", () => {
  using machine = new Machine();
  const { tree, board } = machine;
  const first = machine.begin("a");
  board.send(first, { frames: 100 });
  tree.set(10, { args: progress("/x/a"), startSeconds: 990 });
  machine.pass(1000);
  tree.remove(10);
  tree.set(11, { args: progress("/x/a"), startSeconds: 1001 });
  machine.pass(500);
  const second = board.send(first, { frames: 1 });
  machine.pass(1000);
  assert(second !== first);
  assertEquals([machine.stateOf(second), second.process?.pid], ["running", 11]);
});

Deno.test("a job that stands still without any CPU time waits, one that computes does not", async () => {
  using machine = new Machine();
  const { tree, board } = machine;
  const job = machine.begin("a");
  tree.set(10, { args: progress("/x/a"), cpuSeconds: 1 });
  machine.pass(1000);
  const waiting = async (): Promise<number | undefined> =>
    valueOf(await machine.page(), 'ffmpeg_job_waiting{job_id="a"}');
  assertEquals(await waiting(), 0);
  machine.pass(4000);
  assertEquals(await waiting(), 1);
  tree.set(10, { args: progress("/x/a"), cpuSeconds: 2 });
  machine.pass(1000);
  assertEquals(await waiting(), 0);
  machine.pass(4000);
  board.send(job, { frames: 2 });
  assertEquals(await waiting(), 0, "it advances, though the kernel counts hundredths of a second only");
});

/** Processes of every kind. */
function diverse(): Machine {
  const machine = new Machine();
  const { tree } = machine;
  machine.begin("a");
  machine.begin("b");
  tree.set(10, { args: progress("/x/a"), cpuSeconds: 12.34, startSeconds: 900, parentPid: 5 });
  tree.set(11, {
    args: progress("/x/b"),
    state: "T",
    cgroup: `0::/docker/${CONTAINER_ID}\n`,
    innerPid: 7,
    parentPid: 5,
  });
  tree.set(12, { args: ["ffmpeg", "-i", "rtmp://STREAMKEY", "-c:v", "h264_vaapi", "x"], sessionId: 3 });
  machine.pass(1000);
  return machine;
}

Deno.test("golden page of processes: observed or not, paused, orphaned, in a container, and no argument of any", async () => {
  using machine = diverse();
  const page = (await machine.page()).replace(/^(ffmpeg_process_start_time_seconds\S*) .*$/gm, "$1 0");
  assert(!page.includes("STREAMKEY"));
  await assertGolden("ffmpeg/processes", page);
});

Deno.test({
  name: "promtool finds no fault with the page of processes",
  ...needs("promtool"),
  fn: async () => {
    using machine = diverse();
    assertEquals(await promtoolCheck(await machine.page()), "");
  },
});

Deno.test("ProcessWatch reports what to do where the tree is missing or hidden, and publishes nothing of it", () => {
  using machine = new Machine();
  const { tree } = machine;
  const job = machine.begin("a");
  tree.set(10, { args: progress("/x/a"), state: "T" });
  machine.pass(1000);
  tree.remove(1);
  machine.pass(1000);
  assertEquals(machine.watch.collect().problems.map(({ reason }) => reason), ["hidden"]);
  tree.hide();
  machine.watch.look();
  const { up, problems, snapshot } = machine.watch.collect();
  assertEquals([up, problems[0]?.reason, snapshot.families.size], [false, "missing", 0]);
  assertStringIncludes(problems[0]?.message ?? "", "mount --bind /proc");
  assertEquals(machine.stateOf(job), "running", "nothing is known of its process now");
  tree.show();
  tree.set(1, { name: "init" });
  machine.pass(1000);
  assertEquals(machine.watch.collect().problems, []);
  assertEquals(machine.stateOf(job), "paused");
});

Deno.test("parseNameGlob() matches names, whole", () => {
  const match = (glob: string, name: string): boolean => parseNameGlob(glob).test(name);
  assert(match("FFmpeg.*.log", "FFmpeg.Transcode-2026-11-26_a?b.log"));
  assert(!match("FFmpeg.*.log", "log_20261126.log"));
  assert(!match("*.log", "a.log.1"));
  assert(match("a?c+(x)", "abc+(x)"));
  assert(!match("a?c", "ac"));
  assertEquals(describeJob(new URLSearchParams("expect=nvenc")).expect, "nvenc");
});
