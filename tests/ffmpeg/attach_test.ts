/**
 * What docs/attach.md promises of a real encode in each way: frames, dropped frames and media time are those of ffprobe
 * and of ffmpeg's own last line; encoder, size and duration are right.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { eventually, ROOT, startExporter } from "../support/exporter_process.ts";
import { probe } from "../support/ffmpeg_encode.ts";
import { valueOf } from "../support/ffmpeg_jobs.ts";
import { needs } from "../support/programs.ts";

const SECONDS = 3;
/** A picture of 30 frames a second, of which every sixth is dropped. */
const INPUT = ["-t", `${SECONDS}`, "-f", "lavfi", "-i", "testsrc=size=160x120:rate=30"];
const OUTPUT = ["-r", "25", "-c:v", "libx264", "-preset", "ultrafast"];
const FRAME_SECONDS = 1 / 25;

/** Ways to attach: arguments of the caller, and how its ffmpeg is reached. */
const WAYS: Readonly<Record<string, { readonly by: "report" | "shim"; readonly args: readonly string[] }>> = {
  "report-quiet": { by: "report", args: ["-loglevel", "quiet"] },
  "report-nostats": { by: "report", args: ["-nostats"] },
  "report-progress": { by: "report", args: ["-progress", "pipe:1"] },
  "shim-quiet": { by: "shim", args: ["-loglevel", "quiet"] },
  "shim-nostats": { by: "shim", args: ["-nostats"] },
  "shim-progress": { by: "shim", args: ["-progress", "pipe:1"] },
};

Deno.test({
  name:
    "an encode is counted as ffprobe and ffmpeg count it, by report and by shim, whatever its caller asks for",
  ...needs("ffmpeg", "ffprobe"),
  fn: async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "ffmpeg-attach-" });
    const progress = `${folder}/progress`;
    await Deno.mkdir(progress);
    await using exporter = await startExporter("ffmpeg", {
      permissions: ["--no-prompt", "--allow-net=0.0.0.0", `--allow-read=${progress}`],
      args: [`--progress-dir=${progress}`],
    });
    for (const [name, { by, args }] of Object.entries(WAYS)) {
      await t.step(name, async () => {
        const output = `${folder}/${name}.mkv`;
        const { code, stderr } = await new Deno.Command(by === "shim" ? `${ROOT}scripts/ffmpeg` : "ffmpeg", {
          args: ["-nostdin", "-y", ...args, ...INPUT, ...OUTPUT, output],
          env: by === "shim"
            ? { FFMPEG_PROGRESS_DIR: progress, FFMPEG_JOB: name, FFMPEG_JOB_EXACT: "yes" }
            : { FFREPORT: `file=${progress}/${name}:level=32` },
          stdin: "null",
        }).output();
        assertEquals(code, 0, new TextDecoder().decode(stderr));
        const page = await eventually(async () => {
          const page = await exporter.metrics();
          assert(
            new RegExp(`^ffmpeg_job_state\\{job_id="${name}[^"]*",state="ended"\\} 1$`, "m").test(page),
            page,
          );
          return page;
        });
        // Beside a caller's own -progress the shim has a report written, whose name says so.
        const job = name === "shim-progress" ? `${name}.log` : name;
        const of = (metric: string): number =>
          valueOf(page, `ffmpeg_job_${metric}_total{job_id="${job}"}`) ?? NaN;
        const { frames, endSeconds } = await probe(output);
        assertEquals(of("frames"), frames);
        assertAlmostEquals(of("media_seconds"), endSeconds, FRAME_SECONDS + 0.01);
        assertEquals(of("dropped_frames"), SECONDS * 30 - frames);
        if (by === "shim" && job === name) return;
        const info =
          `ffmpeg_job_info{job_id="${job}",via="file",encoder="libx264",preset="",width="160",height="120",` +
          `framerate="25",duration="${SECONDS}",target_speed="",pid=`;
        assert(page.includes(info), page);
      });
    }
    await exporter[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  },
});
