/**
 * Jobs that are known by their reports: info, outcome, errors, and whether they fell back to software.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Intake, ReportStream } from "../../exporters/ffmpeg/intake.ts";
import { describeJob } from "../../exporters/ffmpeg/job_description.ts";
import { bytes, TestBoard } from "../support/ffmpeg_jobs.ts";

const FOLDER = new URL("../fixtures/ffmpeg/reports/", import.meta.url);

/** Reads a recorded report as the job `a`, and returns the board. */
function run(name: string, { query = "", edit = (text: string) => text } = {}): TestBoard {
  const board = new TestBoard();
  const intake = new Intake(board);
  const open = (): ReturnType<Intake["open"]>["job"] =>
    intake.open({
      id: "a",
      via: "file",
      description: describeJob(new URLSearchParams(query)),
      startedMs: board.nowMs(),
    })
      .job;
  const stream = new ReportStream(intake, { open });
  stream.push(bytes(edit(Deno.readTextFileSync(new URL(`./${name}.log`, FOLDER)))));
  return board;
}

async function infoOf(board: TestBoard): Promise<string | undefined> {
  return /^ffmpeg_job_info\{.*$/m.exec(await board.page())?.[0];
}

Deno.test("a report fills what the job left open", async () => {
  const info = (encoder: string, framerate: string): string =>
    `ffmpeg_job_info{job_id="a",via="file",encoder="${encoder}",preset="",width="160",height="90",framerate="${framerate}",duration="4",target_speed="",pid=""} 1`;
  assertEquals(await infoOf(run("7.1-encode")), info("libx264", "25"));
  assertEquals(await infoOf(run("7.1-encode", { query: "encoder=mine&framerate=x" })), info("mine", "x"));
  assertEquals(await run("7.1-encode").value('ffmpeg_job_state{job_id="a",state="ended"}'), 1);
});

Deno.test("a run that an error ended is an ended job with the class of its error, whether it had begun or not", async () => {
  for (const [name, error] of Object.entries({ missing: "not_found", full: "disk_full", signal: "signal" })) {
    for (const version of ["4.3", "9.0"]) {
      const board = run(`${version}-${name}`);
      assertEquals(await board.value(`ffmpeg_job_error{job_id="a",class="${error}"}`), 1, name);
      assertEquals(await board.value(`ffmpeg_jobs_failed_total{class="${error}"}`), 1, name);
      assertEquals(await board.value('ffmpeg_jobs_finished_total{result="ended"}'), 1, name);
      assertEquals(await board.value('ffmpeg_job_state{job_id="a",state="ended"}'), 1, name);
    }
  }
});

Deno.test("a job whose report has no status lines before the last one runs, and never stalls", async () => {
  const board = run("5.1-nostats", { edit: (text) => text.slice(0, text.indexOf("frame=")) });
  board.pass(60_000);
  assertEquals(await board.value('ffmpeg_job_state{job_id="a",state="running"}'), 1);
  const other = run("5.1-encode", { edit: (text) => text.slice(0, text.indexOf("frame=")) });
  other.pass(60_000);
  assertEquals(await other.value('ffmpeg_job_state{job_id="a",state="stalled"}'), 1);
});

Deno.test("a run that succeeded has no error, and one that encodes nothing is no job", async () => {
  assert(!(await run("5.1-encode").page()).includes("ffmpeg_job_error{"));
  for (const name of ["version", "info", "usage", "probe"]) {
    assertEquals(run(`5.1-${name}`).jobs().length, 0, name);
  }
});

Deno.test("a job that should be on hardware and is encoded by software has fallen back", async () => {
  const fallback = 'ffmpeg_job_encoder_fallback{job_id="a"}';
  const onHardware = { edit: (text: string) => text.replaceAll("libx264", "h264_nvenc") };
  assertEquals(await run("5.1-encode", { query: "expect=nvenc" }).value(fallback), 1);
  assertEquals(await run("5.1-encode", { query: "expect=nvenc", ...onHardware }).value(fallback), 0);
  assertEquals(await run("5.1-encode", onHardware).value(fallback), 0, "its command names hardware");
  assertEquals(await run("5.1-encode").value(fallback), undefined, "nothing is expected");
  // The command asks for hardware, the report shows software.
  const commandOnly = (text: string): string => text.replace("-c:v libx264", "-c:v h264_qsv");
  assertEquals(await run("5.1-encode", { edit: commandOnly }).value(fallback), 1);
  assertEquals(
    await run("4.3-encoder", { query: "expect=nvenc" }).value(fallback),
    0,
    "it failed, and did not fall back",
  );
});

Deno.test("jobs are counted by what encodes them as long as they go on", async () => {
  const board = new TestBoard();
  for (
    const [id, query] of Object.entries({
      a: "encoder=libx264",
      b: "encoder=h264_qsv",
      c: "",
      d: "encoder=x264",
    })
  ) {
    board.send(board.begin(id, { query }), { frames: 1, final: id === "d" });
  }
  const page = await board.page();
  const counts = page.split("\n").filter((line) => line.startsWith("ffmpeg_jobs_by_encoder{"));
  assertEquals(counts, [
    'ffmpeg_jobs_by_encoder{class="qsv"} 1',
    'ffmpeg_jobs_by_encoder{class="software"} 1',
    'ffmpeg_jobs_by_encoder{class="unknown"} 1',
  ]);
});

Deno.test("one log of several runs describes each", async () => {
  const first = Deno.readTextFileSync(new URL("./5.1-encode.log", FOLDER));
  const board = run("9.0-audio", { edit: (second) => first + second });
  assertEquals(
    (await infoOf(board))?.includes('encoder="aac",preset="",width="",'),
    true,
    await infoOf(board),
  );
  assertEquals(await board.value('ffmpeg_jobs_finished_total{result="ended"}'), 2);
});
