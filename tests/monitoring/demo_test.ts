/** What a newcomer sees of the monitoring after one command. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually, ROOT } from "../support/exporter_process.ts";
import { needs, needsNamespaces } from "../support/programs.ts";
import { packageFlags } from "../../scripts/package_flags.ts";

const DEMO = [Deno.execPath(), "run", ...packageFlags("tests"), "--no-prompt", "-A", "scripts/demo.ts"];
/** What the rules must have results for. */
const WANTED = [
  "worker:energy_joules:rate1m",
  "worker:energy_joules_per_frame:ratio_rate1m",
  "worker:energy_joules_per_media_minute:ratio_rate1m",
  "worker_job_id:energy_joules_per_frame:ratio_rate1m",
  "worker:ffmpeg_realtime_headroom_ratio:min",
  "worker_name:docker_container_cpu_share:ratio_rate1m",
];

Deno.test({
  name: "demo --monitoring has results of the rules within a minute, and leaves nothing behind",
  ignore: needs("prometheus", "unshare", "nsenter", "ip", "curl").ignore || needsNamespaces().ignore,
  async fn(): Promise<void> {
    using temporary = temporaryFolder();
    // Its ports are fixed: in its own network they are free.
    const child = new Deno.Command("unshare", {
      args: ["-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", ...DEMO, "--monitoring"],
      cwd: ROOT,
      env: { TMPDIR: temporary.path },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const log = new Response(child.stderr).text();
    const started = performance.now();
    try {
      for (const series of WANTED) {
        await eventually(async () => {
          const url = `http://127.0.0.1:9090/api/v1/query?query=${series}`;
          const { stdout } = await new Deno.Command("nsenter", {
            args: ["-t", String(child.pid), "-n", "curl", "-sS", "--fail", url],
          }).output();
          const { data } = JSON.parse(new TextDecoder().decode(stdout));
          assertEquals(data.result[0]?.metric.worker, "local", series);
        }, 60_000 - (performance.now() - started));
      }
    } finally {
      child.kill("SIGTERM");
      await child.status;
    }
    assertEquals((await child.status).code, 0, await log);
    assertStringIncludes(await log, "http://127.0.0.1:9090/alerts");
    assertEquals([...Deno.readDirSync(temporary.path)], []);
  },
});

Deno.test("demo names a flag that it does not have", async () => {
  const [command = "", ...args] = DEMO;
  const { code, stderr } = await new Deno.Command(command, { args: [...args, "--grafana"], cwd: ROOT })
    .output();
  assertEquals(code, 2);
  assertStringIncludes(new TextDecoder().decode(stderr), 'Cannot use "--grafana"');
});

function temporaryFolder(): Disposable & { path: string } {
  const path = Deno.makeTempDirSync({ prefix: "demo-test-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
