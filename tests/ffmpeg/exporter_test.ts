/**
 * The FFmpeg exporter as a process: the permissions that it uses, its flags, what it reports of its folder.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Audit } from "../support/audit.ts";
import { eventually, ROOT, startExporter } from "../support/exporter_process.ts";
import { progressText, TestBoard, valueOf } from "../support/ffmpeg_jobs.ts";
import { promtoolCheck } from "../support/promtool.ts";
import { needs } from "../support/programs.ts";
import { packageFlags } from "../../scripts/package_flags.ts";

const NETWORK = ["--no-prompt", "--allow-net=0.0.0.0"];

/** Starts the exporter, brings it a job in every way it can, and returns what permissions it used. */
async function permissionsUsed(folder?: string): Promise<string[]> {
  using audit = new Audit();
  {
    await using exporter = await startExporter("ffmpeg", {
      permissions: folder ? [...NETWORK, `--allow-read=${folder}`] : NETWORK,
      args: folder ? [`--progress-dir=${folder}`] : ["--stdin"],
      env: audit.env,
    });
    for (const path of ["/metrics", "/health", "/", "/page/page.js", "/nowhere"]) {
      await (await fetch(`${exporter.url}${path}`)).body?.cancel();
    }
    for (const path of ["/progress?job_id=a", "/ingest?job_id=b"]) {
      await fetch(`${exporter.url}${path}`, { method: "POST", body: progressText(5, { end: true }) });
    }
    await fetch(`${exporter.url}/jobs/a/exit?code=0`, { method: "POST" });
    if (folder) await Deno.writeTextFile(`${folder}/c`, progressText(5, { end: true }));
    await eventually(async () => {
      const page = await exporter.metrics();
      assertEquals(valueOf(page, 'ffmpeg_jobs_finished_total{result="ended"}'), folder ? 3 : 2);
    });
    exporter.kill("SIGTERM");
    assertEquals(await exporter.exitCode, 0);
  }
  const kinds = audit.uses().map(({ permission, value }) =>
    folder && permission === "read" && `${value}/`.startsWith(`${folder}/`)
      ? "read the folder"
      : `${permission} ${value}`
  );
  return [...new Set(kinds)].sort();
}

Deno.test("the exporter uses the network and its folder, and no other permission", async () => {
  const folder = await Deno.makeTempDir();
  assertEquals(await permissionsUsed(folder), ["net 0.0.0.0:0", "read the folder"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the exporter uses the network alone where there is no folder", async () => {
  assertEquals(await permissionsUsed(), ["net 0.0.0.0:0"]);
});

Deno.test("the exporter names the flag that its folder needs, and takes reports over HTTP all the same", async () => {
  const folder = await Deno.makeTempDir();
  await using exporter = await startExporter("ffmpeg", {
    permissions: NETWORK,
    args: [`--progress-dir=${folder}`],
  });
  const { status, sources } = await exporter.health();
  assertEquals(status, "degraded");
  assertStringIncludes(JSON.stringify(sources), `start with \\"--allow-read=${folder}\\"`);
  await fetch(`${exporter.url}/progress?job_id=a`, { method: "POST", body: progressText(5, { end: true }) });
  assertEquals(valueOf(await exporter.metrics(), 'ffmpeg_job_frames_total{job_id="a"}'), 5);
  await Deno.remove(folder);
});

Deno.test("the exporter refuses flags that make no sense, by name", async (t) => {
  for (
    const [flag, advice] of [
      ["--ingest-from=10.0.0.0/40", "127.0.0.0/8"],
      ["--max-jobs=0", "1 to 100000"],
      ["--job-ttl=soon", "2m"],
      ["--stall-after=0s", "500ms"],
      ["--progress-dir=", "value is missing"],
    ] as const
  ) {
    await t.step(flag, async () => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", ...packageFlags("tests"), ...NETWORK, "exporters/ffmpeg/main.ts", flag],
        cwd: ROOT,
      }).output();
      assertEquals(code, 2);
      assertStringIncludes(new TextDecoder().decode(stderr), advice);
    });
  }
});

Deno.test({
  name: "promtool has no complaint about the page",
  ...needs("promtool"),
  fn: async () => {
    const board = new TestBoard();
    const job = board.begin("a", { query: "encoder=x&width=2&height=2&duration=9&target_speed=1" });
    for (let frame = 25; frame <= 75; frame += 25) {
      board.pass(1000);
      board.send(job, {
        frames: frame,
        mediaSeconds: frame / 25,
        outputBytes: frame,
        duplicatedFrames: 0,
        droppedFrames: 0,
        averageFps: 25,
        averageSpeed: 1,
        averageBytesPerSecond: 9,
        quantizers: [{ output: "0", stream: "0", quantizer: 28 }],
      });
    }
    board.exit("a", 0);
    assertEquals(await promtoolCheck(await board.page()), "");
  },
});
