/**
 * Jobs and the board: values over the recent window, states, totals, results, retention.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ABANDON_AFTER_MS } from "../../exporters/ffmpeg/job_board.ts";
import {
  cleanText,
  describeJob,
  MAX_TEXT_LENGTH,
  parseFileName,
} from "../../exporters/ffmpeg/job_description.ts";
import type { Job } from "../../exporters/ffmpeg/job.ts";
import { RateWindow } from "../../exporters/ffmpeg/rate_window.ts";
import { assertGolden } from "../support/golden.ts";
import { bytes, corpus, parseChunks, progressText, START_MS, TestBoard } from "../support/ffmpeg_jobs.ts";

/** Reports every half second for a while, at a speed. */
function encode(
  board: TestBoard,
  job: Job,
  { seconds, speed = 1, from = 0 }: { seconds: number; speed?: number; from?: number },
): Job {
  for (let half = 1; half <= seconds * 2; half++) {
    board.pass(500);
    const mediaSeconds = from + half / 2 * speed;
    job = board.send(job, {
      frames: Math.round(mediaSeconds * 25),
      mediaSeconds,
      outputBytes: mediaSeconds * 1000,
    });
  }
  return job;
}

Deno.test("a job's speed, fps and bitrate are those of the last ten seconds, not of its whole life", async () => {
  const board = new TestBoard();
  const job = encode(board, board.begin("a", { query: "width=1920&height=1080" }), { seconds: 60, speed: 3 });
  encode(board, job, { seconds: 12, speed: 0.5, from: 180 });
  assertEquals(await board.value('ffmpeg_job_speed_ratio{job_id="a"}'), 0.5);
  assertAlmostEquals(await board.value('ffmpeg_job_fps{job_id="a"}') ?? NaN, 12.5, 0.11);
  assertAlmostEquals(await board.value('ffmpeg_job_frame_seconds{job_id="a"}') ?? NaN, 0.08, 0.001);
  assertEquals(await board.value('ffmpeg_job_output_bytes_per_second{job_id="a"}'), 1000);
  assertAlmostEquals(
    await board.value('ffmpeg_job_pixels_per_second{job_id="a"}') ?? NaN,
    12.5 * 1920 * 1080,
    0.11 * 1920 * 1080,
  );
  assertEquals(await board.value('ffmpeg_job_realtime_deficit_seconds{job_id="a"}'), 72 - 186);
  assertEquals(await board.value("ffmpeg_pixels_total"), 186 * 25 * 1920 * 1080);
});

Deno.test("a job that reports every 30 or 60 seconds has the values that are true of it", async () => {
  for (const period of [30, 60]) {
    const board = new TestBoard();
    // Before its second report only the job itself knows how far apart they are.
    const job = board.begin("a", { query: `stall_after=${period + 1}` });
    board.send(job, { frames: 0, mediaSeconds: 0 });
    for (let report = 1; report <= 4; report++) {
      for (let second = 1; second < period; second++) {
        board.pass(1000);
        assertEquals(job.state(board.nowMs(), board.stallAfterMs), "running", `${second} s`);
        if (report === 1) continue;
        assertEquals(await board.value('ffmpeg_job_fps{job_id="a"}'), 25);
        assertEquals(await board.value('ffmpeg_job_speed_ratio{job_id="a"}'), 1);
        assertEquals(await board.value('ffmpeg_job_realtime_deficit_seconds{job_id="a"}'), 0);
      }
      board.pass(1000);
      board.send(job, { frames: 25 * period * report, mediaSeconds: period * report });
    }
    board.pass(2 * period * 1000 + 1000);
    assertEquals(job.state(board.nowMs(), board.stallAfterMs), "stalled");
    assertEquals(await board.value('ffmpeg_job_realtime_deficit_seconds{job_id="a"}'), 1);
  }
});

Deno.test("a job that falls silent slows down to nothing and then counts as stalled", async () => {
  const board = new TestBoard();
  encode(board, board.begin("a"), { seconds: 20 });
  board.pass(900);
  assertEquals(await board.value('ffmpeg_job_speed_ratio{job_id="a"}'), 1);
  board.pass(5000);
  const slower = await board.value('ffmpeg_job_speed_ratio{job_id="a"}') ?? NaN;
  assert(slower > 0.4 && slower < 0.7, String(slower));
  assertEquals(await board.value('ffmpeg_job_state{job_id="a",state="running"}'), 1);
  board.pass(7000);
  assertEquals(await board.value('ffmpeg_job_speed_ratio{job_id="a"}'), 0);
  assertEquals(await board.value('ffmpeg_job_state{job_id="a",state="stalled"}'), 1);
  assertEquals(await board.value('ffmpeg_jobs{state="stalled"}'), 1);
});

Deno.test("a job that repeats the same counters counts as stalled, and runs again once one rises", async () => {
  const board = new TestBoard();
  const job = board.begin("a");
  for (let half = 0; half < 30; half++) {
    board.send(job, { frames: 100, mediaSeconds: 4, averageSpeed: 0.98 });
    board.pass(500);
  }
  assertEquals(await board.value('ffmpeg_job_state{job_id="a",state="stalled"}'), 1);
  assertEquals(await board.value('ffmpeg_job_last_advance_timestamp_seconds{job_id="a"}'), START_MS / 1000);
  board.send(job, { frames: 101, mediaSeconds: 4 });
  assertEquals(await board.value('ffmpeg_job_state{job_id="a",state="running"}'), 1);
});

Deno.test("a job's own stall_after takes the place of the exporter's", () => {
  const board = new TestBoard();
  const patient = board.begin("patient", { query: "stall_after=60" });
  const hasty = board.begin("hasty", { query: "stall_after=2" });
  board.pass(5000);
  assertEquals(patient.state(board.nowMs(), board.stallAfterMs), "running");
  assertEquals(hasty.state(board.nowMs(), board.stallAfterMs), "stalled");
});

Deno.test("what ffmpeg or its muxer does not report is absent", async () => {
  const board = new TestBoard();
  board.begin("silent");
  const audio = board.begin("audio");
  board.send(audio, { mediaSeconds: 1, outputBytes: 10 });
  board.pass(1000);
  board.send(audio, { mediaSeconds: 2, outputBytes: 20 });
  const page = await board.page();
  assert(!page.includes('_frames_total{job_id="audio"}'), page);
  assert(!page.includes('ffmpeg_job_fps{job_id="audio"}'), page);
  assert(!page.includes('_media_seconds_total{job_id="silent"}'), page);
  assert(!page.includes('ffmpeg_job_speed_ratio{job_id="silent"}'), page);
  assert(page.includes('ffmpeg_job_speed_ratio{job_id="audio"} 1\n'), page);
});

Deno.test("a quantizer that the encoder does not give is absent", async () => {
  const board = new TestBoard();
  board.send(board.begin("a"), {
    quantizers: [-1, -0, 0, 28].map((quantizer, index) => ({
      output: "0",
      stream: String(index),
      quantizer,
    })),
  });
  const page = await board.page();
  assertEquals(page.match(/^ffmpeg_job_quantizer\{.*$/gm), [
    'ffmpeg_job_quantizer{job_id="a",output="0",stream="2"} 0',
    'ffmpeg_job_quantizer{job_id="a",output="0",stream="3"} 28',
  ]);
});

Deno.test("progress and time left follow from the duration, which the output may overrun", async () => {
  const board = new TestBoard();
  const job = encode(board, board.begin("a", { query: "duration=40" }), { seconds: 10, speed: 2 });
  assertEquals(await board.value('ffmpeg_job_progress_ratio{job_id="a"}'), 0.5);
  assertEquals(await board.value('ffmpeg_job_remaining_seconds{job_id="a"}'), 10);
  encode(board, job, { seconds: 12, speed: 2, from: 20 });
  assertEquals(await board.value('ffmpeg_job_progress_ratio{job_id="a"}'), 1);
  assertEquals(await board.value('ffmpeg_job_remaining_seconds{job_id="a"}'), 0);
});

Deno.test("totals stay when jobs go, and never fall when one starts over", async () => {
  const board = new TestBoard();
  let job = board.begin("a");
  job = board.send(job, { frames: 100, mediaSeconds: 4 });
  job = board.send(job, { frames: 120, mediaSeconds: 5, final: true });
  job = board.send(job, { frames: 10, mediaSeconds: 1 });
  assertEquals(await board.value('ffmpeg_job_frames_total{job_id="a"}'), 10);
  job = board.send(job, { frames: 4, mediaSeconds: 0.5 });
  assertEquals(await board.value("ffmpeg_frames_total"), 134);
  assertEquals(await board.value("ffmpeg_media_seconds_total"), 6.5);
  board.close(job);
  board.pass(121_000);
  const page = await board.page();
  assert(!page.includes("job_id="), page);
  assert(page.includes("ffmpeg_frames_total 134\n"), page);
  assert(page.includes('ffmpeg_jobs_finished_total{result="ended"} 1\n'), page);
  assert(page.includes('ffmpeg_jobs_finished_total{result="lost"} 2\n'), page);
});

Deno.test("a counter that steps back within a run stays where it was", async () => {
  const board = new TestBoard();
  const job = board.begin("a");
  board.send(job, { frames: 100, mediaSeconds: 4, outputBytes: 5000 });
  board.send(job, { frames: 101, mediaSeconds: 3.9, outputBytes: 4000 });
  board.send(job, { frames: 102, mediaSeconds: undefined, outputBytes: undefined });
  assertEquals(await board.value('ffmpeg_job_output_bytes_total{job_id="a"}'), 5000);
  assertEquals(await board.value('ffmpeg_job_media_seconds_total{job_id="a"}'), 4);
});

Deno.test("a job that was under way before the exporter adds only what it does from then on", async () => {
  const board = new TestBoard();
  const { job } = board.open({
    id: "a",
    via: "file",
    description: describeJob(new URLSearchParams()),
    startedMs: board.nowMs(),
    isUnderWay: true,
  });
  assert(job);
  board.send(job, { frames: 90_000, mediaSeconds: 3600, averageSpeed: 2 });
  board.pass(1000);
  board.send(job, { frames: 90_050, mediaSeconds: 3602, averageSpeed: 2 });
  assertEquals(await board.value("ffmpeg_frames_total"), 50);
  assertEquals(await board.value('ffmpeg_job_frames_total{job_id="a"}'), 90_050);
  // By its own account it runs for half an hour.
  assertEquals(await board.value('ffmpeg_job_encoding_seconds_total{job_id="a"}'), 1801);
});

Deno.test("results: a cut connection is lost, one cut while it stood still is stalled", () => {
  const board = new TestBoard();
  const lost = board.begin("lost");
  board.send(lost, { frames: 1 });
  board.close(lost);
  const stuck = board.begin("stuck");
  board.pass(11_000);
  board.close(stuck);
  board.close(stuck);
  assertEquals(board.finished, { ended: 0, lost: 1, stalled: 1 });
});

Deno.test("a job that is silent for an hour is given up, and comes back when it reports again", async () => {
  const board = new TestBoard();
  const job = board.begin("a", { via: "file" });
  board.send(job, { frames: 10 });
  board.pass(ABANDON_AFTER_MS + 200_000);
  assertEquals(board.finished.stalled, 1);
  assertEquals(board.jobs().length, 0);
  board.send(job, { frames: 12 });
  assertEquals(await board.value("ffmpeg_frames_total"), 12);
  assertEquals(await board.value('ffmpeg_job_state{job_id="a",state="running"}'), 1);
});

Deno.test("a second job of the same id is refused while the first runs, and takes over once it stands still", () => {
  const board = new TestBoard();
  const first = board.begin("a");
  board.send(first, { frames: 10 });
  const options = { ...first, id: "a", via: "progress" as const, startedMs: board.nowMs() };
  assertEquals(board.open(options), { refused: "duplicate" });
  board.pass(11_000);
  const { job: second } = board.open(options);
  assert(second);
  board.send(first, { frames: 11 });
  assertEquals(second.counters, {});
  assertEquals(board.finished.stalled, 1);
});

Deno.test("the board holds --max-jobs: the one that ended first makes room, and no running one does", () => {
  const board = new TestBoard({ maxJobs: 3 });
  const jobs = ["a", "b", "c"].map((id) => board.begin(id));
  const options = {
    id: "d",
    via: "progress" as const,
    description: describeJob(new URLSearchParams()),
    startedMs: 0,
  };
  assertEquals(board.open(options), { refused: "max_jobs" });
  for (const index of [1, 0]) {
    board.pass(1000);
    const job = jobs[index];
    if (job) board.close(job);
  }
  assert(board.open(options).job);
  assertEquals(board.jobs().map(({ id }) => id), ["a", "c", "d"]);
});

Deno.test("exit codes count as success or failure, and arrive in any order with the last report", async () => {
  const board = new TestBoard();
  const ended = board.begin("ended");
  board.send(ended, { frames: 5, final: true });
  board.exit("ended", 0);
  board.exit("ended", 0);
  const early = board.begin("early");
  board.exit("early", 1);
  board.send(early, { frames: 5, final: true });
  const killed = board.begin("killed");
  board.send(killed, { frames: 5 });
  board.exit("killed", 137);
  board.exit("never-seen", 1);
  assertEquals(board.finished.lost, 1, "what never reported is over at once");
  assertEquals(await board.value('ffmpeg_job_state{job_id="killed",state="running"}'), 0);
  assertEquals(await board.value('ffmpeg_jobs{state="running"}'), 0);
  board.pass(3000);
  assertEquals(board.exited, { success: 1, failure: 3 });
  assertEquals(board.finished, { ended: 2, lost: 2, stalled: 0 });
  assertEquals(await board.value('ffmpeg_job_exit_code{job_id="killed"}'), 137);
  assertEquals(await board.value('ffmpeg_job_exit_code{job_id="never-seen"}'), 1);
  board.pass(15_000);
  board.exit("never-seen", 1);
  assertEquals(board.exited.failure, 4);
});

Deno.test("an exit code is counted once for each process, however fast one follows another", () => {
  const board = new TestBoard();
  for (const pid of [1, 2, 2, 3]) board.exit("crash", 1, pid);
  board.exit("crash", 0, 3);
  assertEquals(board.exited, { success: 1, failure: 3 });
});

Deno.test("exit codes without a job keep no job out", () => {
  const board = new TestBoard({ maxJobs: 2 });
  for (const id of ["a", "b", "c"]) assertEquals(board.exit(id, 1), undefined);
  board.begin("live");
  assertEquals(board.jobs().map(({ id }) => id), ["c", "live"]);
  board.begin("second");
  assertEquals(board.exit("d", 1), "max_jobs");
});

Deno.test("the histogram counts each live job once a second by its recent speed", async () => {
  const board = new TestBoard();
  encode(board, board.begin("a"), { seconds: 30, speed: 0.8 });
  const page = await board.page();
  const count = /^ffmpeg_speed_ratio_count (\d+)$/m.exec(page)?.[1];
  assert(Number(count) >= 28, page);
  assert(page.includes('ffmpeg_speed_ratio_bucket{le="0.75"} 0\n'), page);
  assert(page.includes(`ffmpeg_speed_ratio_bucket{le="0.9"} ${count}\n`), page);
  assert(page.includes(`ffmpeg_speed_ratio_bucket{le="+Inf"} ${count}\n`), page);
});

Deno.test("RateWindow keeps its rates however often reports come", () => {
  for (const periodMs of [1, 40, 500, 2000, 5000]) {
    const window = new RateWindow();
    for (let atMs = 0; atMs <= 30_000; atMs += periodMs) {
      window.add(atMs, { frames: atMs / 40, mediaSeconds: atMs / 1000, outputBytes: NaN });
    }
    const rise = window.rise(30_000);
    assert(rise);
    assertAlmostEquals(rise.mediaSeconds / rise.seconds, 1, 1e-9);
    assert(rise.seconds >= 9 && rise.seconds <= 15, `${periodMs} ms: ${rise.seconds} s`);
    assertEquals(rise.outputBytes, NaN);
  }
});

Deno.test("cleanText() bounds what a label may hold", () => {
  assertEquals(cleanText('a"b\\c\nd{e}\u{1f3ac}\u202e'), "a_b_c_d_e___");
  assertEquals(["фильм1", "книга1", "cafe\u0301", "映画"].map(cleanText), [
    "фильм1",
    "книга1",
    "café",
    "映画",
  ]);
  assertEquals(cleanText("x".repeat(1000)).length, MAX_TEXT_LENGTH);
  assertEquals(cleanText(" movie 7 (1080p) [a].mkv "), "movie 7 (1080p) [a].mkv");
});

Deno.test("describeJob() takes what makes sense and leaves the rest out", () => {
  const { info, framePixels, targetSpeed } = describeJob(
    new URLSearchParams("encoder=h264_nvenc&width=1920&height=-3&duration=x&target_speed=2&pid=1e400&evil=1"),
  );
  assertEquals(info, {
    encoder: "h264_nvenc",
    preset: "",
    width: "1920",
    height: "",
    framerate: "",
    duration: "",
    target_speed: "2",
    pid: "",
  });
  assertEquals([framePixels, targetSpeed], [undefined, 2]);
});

Deno.test("parseFileName() reads parameters after the first question mark", () => {
  const { id, parameters } = parseFileName("movie 7?encoder=libx264&preset=a%20b?");
  assertEquals([id, parameters.get("encoder"), parameters.get("preset")], ["movie 7", "libx264", "a b?"]);
});

Deno.test("golden pages: an idle worker, jobs in every state, every recorded body", async () => {
  await assertGolden("ffmpeg/idle", await new TestBoard().page());

  const board = new TestBoard();
  encode(board, board.begin("vanished"), { seconds: 5, speed: 4 }).finish("lost", board.nowMs());
  encode(board, board.begin("stuck", { via: "file" }), { seconds: 5, speed: 0.9 });
  board.pass(12_000);
  const query =
    "encoder=libx264&preset=fast&width=1280&height=720&framerate=25&duration=60&target_speed=1&pid=42";
  let live = board.begin("live", { query });
  for (let second = 1; second <= 8; second++) {
    board.pass(1000);
    for (const block of parseChunks([bytes(progressText(second * 25))]).blocks) {
      live = board.intake.report(live, block);
    }
  }
  board.send(board.begin("done", { via: "ingest" }), { frames: 250, mediaSeconds: 10, final: true });
  board.exit("done", 0);
  await assertGolden("ffmpeg/states", await board.page());

  const recorded = new TestBoard();
  for (const [name, body] of corpus()) {
    let job = recorded.begin(name);
    for (const block of parseChunks([body]).blocks) {
      recorded.pass(500);
      job = recorded.intake.report(job, block);
    }
  }
  await assertGolden("ffmpeg/corpus", await recorded.page());
});

Deno.test("ffmpeg_job_encoding_seconds_total does not fall when the end turns out to be earlier than the last scrape", async () => {
  const board = new TestBoard();
  const job = board.begin("a", { via: "file" });
  board.pass(10_000);
  assertEquals(await board.value('ffmpeg_job_encoding_seconds_total{job_id="a"}'), 10);
  // The file was written before the scrape, and read after it.
  board.report(job, { final: true, quantizers: [], frames: 1 }, board.nowMs() - 200);
  assertEquals(await board.value('ffmpeg_job_encoding_seconds_total{job_id="a"}'), 10);
});

Deno.test("a job whose process is stopped is paused, however long, and one whose process is gone is lost", () => {
  const board = new TestBoard();
  const job = board.begin("a");
  board.send(job, { frames: 1 });
  job.process = { pid: 7, isStopped: true };
  board.pass(ABANDON_AFTER_MS + 1000);
  assertEquals(job.state(board.nowMs(), board.stallAfterMs), "paused");
  assertEquals(board.refusal("a"), "duplicate");
  job.process = { pid: 7, isStopped: false, goneMs: board.nowMs() };
  assertEquals(job.state(board.nowMs(), board.stallAfterMs), "lost");
  assertEquals(board.refusal("a"), undefined);
  board.pass(1000);
  assertEquals(board.finished.lost, 0, "its last report may still come");
  board.pass(2000);
  assertEquals(board.finished.lost, 1);
  assertEquals(job.finishedMs, job.process.goneMs);
});

Deno.test("what is found out about a job completes its own parameters", async () => {
  const board = new TestBoard();
  const job = board.begin("a", { query: "encoder=libx264&duration=60" });
  job.complete(describeJob(new URLSearchParams("encoder=h264&width=64&height=48&duration=90&framerate=25")));
  const page = await board.page();
  const info = /^ffmpeg_job_info\{.*$/m.exec(page)?.[0];
  assertEquals(
    info,
    'ffmpeg_job_info{job_id="a",via="progress",encoder="libx264",preset="",width="64",height="48",framerate="25",duration="60",target_speed="",pid=""} 1',
  );
  assertEquals([job.description.framePixels, job.description.durationSeconds], [64 * 48, 60]);
});

Deno.test("the time between reports is known from their averages where both were read at once", () => {
  const board = new TestBoard();
  const job = board.begin("joined", { via: "file" });
  for (const frames of [1500, 3000]) board.send(job, { frames, mediaSeconds: frames / 25, averageFps: 25 });
  board.pass(110_000);
  assertEquals(job.state(board.nowMs(), board.stallAfterMs), "running");
  board.pass(20_000);
  assertEquals(job.state(board.nowMs(), board.stallAfterMs), "stalled");
});
