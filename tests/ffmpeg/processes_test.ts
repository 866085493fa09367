/**
 * Real ffmpegs beside the real exporter, which sees the processes of this machine.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually, ROOT } from "../support/exporter_process.ts";
import { valueOf } from "../support/ffmpeg_jobs.ts";
import { ProcessWorker } from "../support/process_worker.ts";
import { needs, needsNamespaces } from "../support/programs.ts";

const NEEDS = { ignore: needs("ffmpeg", "unshare").ignore || needsNamespaces().ignore };

function info(pid: number, job: string): string {
  return `ffmpeg_process_info{pid="${pid}",job_id="${job}",container="",encoder="software"}`;
}

function isReported(path: string): boolean {
  try {
    return Deno.statSync(path).size > 1;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const MPEG4 = ["-c:v", "mpeg4", "-f", "null", "-"];

Deno.test({
  name: "every ffmpeg is on the page within two seconds: by report, shim, file, URL, and unobserved",
  ...NEEDS,
  fn: async () => {
    await using worker = await new ProcessWorker().start();
    const { progress, exporter } = worker;
    const startedMs = performance.now();
    const report = worker.ffmpeg({ env: { FFREPORT: `file=${progress}/report.log:level=32` }, after: MPEG4 });
    const file = worker.ffmpeg({ before: ["-progress", `${progress}/file`], after: MPEG4 });
    const url = worker.ffmpeg({ before: ["-progress", `${exporter.url}/progress?job_id=url`], after: MPEG4 });
    const shim = worker.ffmpeg({
      program: `${ROOT}scripts/ffmpeg`,
      env: { FFMPEG_PROGRESS_DIR: progress, FFMPEG_JOB: "shim", FFMPEG_JOB_EXACT: "yes" },
      after: MPEG4,
    });
    const alone = worker.ffmpeg({ after: ["-threads", "1", ...MPEG4] });
    const expected = { report: "report.log", file: "file", url: "url", shim: "shim", alone: "" };
    for (const [name, child] of Object.entries({ report, file, url, shim, alone })) {
      await worker.until(info(child.pid, expected[name as keyof typeof expected]), 1, 20_000);
    }
    const tookMs = performance.now() - startedMs;
    const page = await worker.until('ffmpeg_jobs{state="running"}', 4);
    for (const job of ["report.log", "file", "url", "shim"]) {
      await eventually(async () => {
        const page = await exporter.metrics();
        assert((valueOf(page, `ffmpeg_job_frames_total{job_id="${job}"}`) ?? 0) > 0, job);
        assert((valueOf(page, `ffmpeg_job_cpu_seconds_total{job_id="${job}"}`) ?? 0) > 0, job);
      }, 20_000);
    }
    assertMatch(
      page,
      /ffmpeg_job_info\{job_id="report\.log",via="file",encoder="mpeg4",.*width="160",height="120"/,
    );
    assert((valueOf(page, 'ffmpeg_processes{state="running",observed="false"}') ?? 0) >= 1);
    Deno.stderr.writeSync(
      new TextEncoder().encode(`five ffmpegs were on the page after ${Math.round(tookMs)} ms\n`),
    );
  },
});

Deno.test({
  name:
    "a stopped ffmpeg is paused and never stalled, a killed one lost within seconds, and a pipe that nobody reads waits",
  ...NEEDS,
  fn: async () => {
    await using worker = await new ProcessWorker().start();
    const { progress } = worker;
    const stopped = worker.ffmpeg({ before: ["-progress", `${progress}/stopped`] });
    const killed = worker.ffmpeg({ env: { FFREPORT: `file=${progress}/killed:level=32` } });
    const unread = worker.ffmpeg({
      before: ["-progress", `${progress}/unread`],
      after: ["-c:v", "rawvideo", "-f", "rawvideo", "pipe:1"],
      stdout: "piped",
    });
    // ffmpeg 4.3 reports only between two writes, half a second after its start at the earliest.
    const pipe = unread.stdout.getReader();
    while (!isReported(`${progress}/unread`)) await pipe.read();
    pipe.releaseLock();
    for (const job of ["stopped", "killed"]) {
      await worker.until(`ffmpeg_job_state{job_id="${job}",state="running"}`, 1, 20_000);
    }
    stopped.kill("SIGSTOP");
    await worker.until('ffmpeg_job_state{job_id="stopped",state="paused"}', 1);
    killed.kill("SIGKILL");
    const killedMs = performance.now();
    await worker.until('ffmpeg_job_state{job_id="killed",state="lost"}', 1);
    assert(performance.now() - killedMs < 5_000);
    await worker.until('ffmpeg_job_waiting{job_id="unread"}', 1, 20_000);
    const page = await worker.until('ffmpeg_job_state{job_id="unread",state="stalled"}', 1, 20_000);
    assertEquals(valueOf(page, 'ffmpeg_job_state{job_id="stopped",state="paused"}'), 1);
    stopped.kill("SIGCONT");
    await worker.until('ffmpeg_job_state{job_id="stopped",state="running"}', 1);
  },
});

Deno.test({
  name:
    "an exporter that is restarted in the middle of an encode knows its process again, and counts no CPU time twice",
  ...NEEDS,
  fn: async () => {
    await using worker = await new ProcessWorker().start();
    const child = worker.ffmpeg({ before: ["-progress", `${worker.progress}/a`] });
    await worker.until(info(child.pid, "a").replace("software", ""), 1, 20_000);
    await eventually(async () => {
      assert(
        (valueOf(await worker.exporter.metrics(), 'ffmpeg_job_cpu_seconds_total{job_id="a"}') ?? 0) > 0.1,
      );
    }, 20_000);
    await worker.stopExporter();
    await worker.start();
    const page = await worker.until(info(child.pid, "a").replace("software", ""), 1, 20_000);
    const own = valueOf(page, 'ffmpeg_job_cpu_seconds_total{job_id="a"}') ?? 0;
    assert(own > 0.1);
    assert((valueOf(page, "ffmpeg_cpu_seconds_total") ?? Infinity) < own, page);
    assertEquals(valueOf(page, 'ffmpeg_job_state{job_id="a",state="running"}'), 1);
  },
});

Deno.test({
  name: "no page, log or health answer holds a key that stood in a command line",
  ...NEEDS,
  fn: async () => {
    await using worker = await new ProcessWorker().start();
    const { exporter, progress } = worker;
    const KEY = "k3y-9f8e7d6c";
    const output = [
      "-c:v",
      "mpeg4",
      "-metadata",
      `comment=${KEY}`,
      "-f",
      "mpegts",
      `udp://127.0.0.1:9/${KEY}?user=${KEY}`,
    ];
    worker.ffmpeg({ after: output });
    worker.ffmpeg({ after: output, env: { FFREPORT: `file=${progress}/report:level=48` } });
    worker.ffmpeg({
      before: [
        "-progress",
        `http://user:${KEY}@127.0.0.1:${exporter.port}/progress?job_id=live&token=${KEY}`,
      ],
      after: output,
    });
    const failing = worker.ffmpeg({
      after: ["-f", "flv", `rtmp://127.0.0.1:9/${KEY}`],
      env: { FFREPORT: `file=${progress}/failing:level=48` },
    });
    await failing.status;
    for (const job of ["report", "live"]) {
      await worker.until(`ffmpeg_job_state{job_id="${job}",state="running"}`, 1, 20_000);
    }
    await worker.until('ffmpeg_job_error{job_id="failing",class="network"}', 1, 20_000);
    const answers = [];
    for (const path of ["/metrics", "/health", "/", "/page.js", "/-/ready", "/nowhere"]) {
      answers.push(await (await fetch(`${exporter.url}${path}`)).text());
    }
    await worker.stopExporter();
    answers.push(exporter.stderr());
    for (const answer of answers) assert(!answer.includes(KEY), answer);
  },
});
