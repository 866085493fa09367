/** From end to end: two real encodes of different weight, each charged for the CPU time that the kernel counts for it. */
import { assertAlmostEquals, assertGreater } from "@std/assert";
import { eventually, startExporter } from "../support/exporter_process.ts";
import { ProcessWorker } from "../support/process_worker.ts";
import { needs, needsNamespaces } from "../support/programs.ts";
import { copyMonitoring, startPrometheus } from "../support/scrapers.ts";
import { SteadyPower } from "../support/steady_power.ts";

const PACKAGE = "intel-rapl/intel-rapl:0";
/** How long both encode while their CPU time is compared. */
const COMPARED_MS = 30_000;
const JOBS = ["heavy", "light"] as const;

Deno.test({
  name: "Two encodes at once get energy by their CPU time, within 5 %, and the rest makes the whole",
  ignore: needs("ffmpeg", "prometheus", "unshare").ignore || needsNamespaces().ignore,
  async fn(): Promise<void> {
    using power = new SteadyPower({ [PACKAGE]: { name: "package-0", watts: 100 } });
    await using cpu = await startExporter("cpu", {
      args: [`--powercap=${power.root}`, "--interval=500ms"],
      permissions: ["--no-prompt", `--allow-read=${power.root}`, "--allow-net=0.0.0.0"],
    });
    await using worker = await new ProcessWorker().start();
    const target = (name: string, port: number): string =>
      `- targets: ["127.0.0.1:${port}"]\n  labels:\n    worker: enc-1\n    __exporters: ${name}\n`;
    const workers = { "fleet.yml": target("cpu", cpu.port) + target("ffmpeg", worker.exporter.port) };
    using copy = copyMonitoring({ workers, interval: "1s" });
    await using prometheus = await startPrometheus(copy.scrape("prometheus.yml"));

    const encode = (job: string, ...filter: string[]): number =>
      worker.ffmpeg({
        before: ["-progress", `${worker.progress}/${job}`],
        after: [...filter, "-c:v", "mpeg4", "-threads", "1", "-f", "null", "-"],
      }).pid;
    const pids = {
      heavy: encode("heavy", "-vf", "scale=1280:720"),
      light: encode("light", "-vf", "scale=640:360"),
    };
    const sharesOf = (job: string): string =>
      `worker_job_id:energy_joules:rate1m{worker="enc-1", job_id="${job}", method="cpu_time"}`;
    for (const job of JOBS) await eventually(() => prometheus.value(sharesOf(job)), 30_000);

    const before = JOBS.map((job) => cpuTicks(pids[job]));
    await new Promise((resolve) => setTimeout(resolve, COMPARED_MS));
    const [heavy = NaN, light = NaN] = JOBS.map((job, index) => cpuTicks(pids[job]) - (before[index] ?? NaN));
    assertGreater(heavy, 1.5 * light, "the encodes have to differ");
    const ratio = await prometheus.value(`${sharesOf("heavy")} / ignoring (job_id) ${sharesOf("light")}`);
    assertAlmostEquals(ratio, heavy / light, 0.05 * heavy / light);
    const whole = await prometheus.value('worker:energy_joules:rate1m{worker="enc-1"}');
    const parts = await prometheus.value(
      "sum(worker_job_id:energy_joules:rate1m) + sum(worker_part:energy_joules_rest:rate1m)",
    );
    assertAlmostEquals(parts, whole, 0.01 * whole);
  },
});

/** CPU time of a process as the kernel counts it: utime and stime, in 1/100 s. */
function cpuTicks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
