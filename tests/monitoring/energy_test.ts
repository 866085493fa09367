/** From end to end: what a frame of a real encode costs, asked of real scrapers with the rules that ship here. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { eventually, type ExporterProcess, startExporter } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";
import {
  copyMonitoring,
  type Scraper,
  startPrometheus,
  startVictoriaMetrics,
  startVmalert,
} from "../support/scrapers.ts";
import { SteadyPower } from "../support/steady_power.ts";

const PACKAGE = "intel-rapl/intel-rapl:0";
const MEMORY = `${PACKAGE}/intel-rapl:0:0`;
const ENCODE_SECONDS = 20;
/** Power of the package while it encodes, half a second each, over and over. */
const SCRIPT_WATTS = [35, 62, 88, 88, 71, 40, 95, 12];

const PER_FRAME = 'worker:energy_joules_per_frame:ratio_rate1m{worker="enc-1"}';

Deno.test({
  name: "Prometheus and VictoriaMetrics know what a frame of a real encode costs, within 5 %",
  ...needs("ffmpeg", "ffprobe", "prometheus", "victoria-metrics", "vmalert"),
  async fn(t): Promise<void> {
    using power = new SteadyPower({
      [PACKAGE]: { name: "package-0", watts: 0 },
      [MEMORY]: { name: "dram", watts: 0 },
    });
    using jobs = temporaryFolder();
    await using cpu = await startExporter("cpu", {
      args: [`--powercap=${power.root}`, "--interval=500ms"],
      permissions: ["--no-prompt", `--allow-read=${power.root}`, "--allow-net=0.0.0.0"],
    });
    await using ffmpeg = await startExporter("ffmpeg", {
      args: [`--progress-dir=${jobs.path}`],
      permissions: ["--no-prompt", `--allow-read=${jobs.path}`, "--allow-net=0.0.0.0"],
    });
    // Everything else is another worker's, and simulated.
    await using gpu = await startSimulated("gpu");
    await using docker = await startSimulated("docker");
    using copy = copyMonitoring({
      workers: { "fleet.yml": fleet({ "enc-1": { cpu, ffmpeg }, "enc-2": { gpu, docker } }) },
      interval: "1s",
    });
    await using prometheus = await startPrometheus(copy.scrape("prometheus.yml"));
    await using victoria = await startVictoriaMetrics(copy.scrape("victoria-metrics.yml"));
    await using _vmalert = startVmalert(victoria.url, `${copy.root}/rules/recording.yml`);
    for (const scraper of [prometheus, victoria]) {
      await eventually(async () => {
        assertEquals(await scraper.value("sum(up)"), 4);
        assertEquals(await scraper.value('ffmpeg_frames_total{worker="enc-1"}'), 0);
      }, 30_000);
    }

    const frames = await encode(jobs.path, power);
    const joules = power.joules(PACKAGE) + power.joules(MEMORY);

    for (const [name, scraper] of Object.entries({ prometheus, victoria })) {
      await t.step(`${name} has counted every frame and every joule`, async () => {
        await eventually(async () => {
          assertEquals(await scraper.value('ffmpeg_frames_total{worker="enc-1"}'), frames);
          const counted = await scraper.value('rapl_node_energy_joules_total{worker="enc-1"}');
          assertAlmostEquals(counted, joules, 0.001);
        }, 15_000);
      });
    }
    const knownAt = Date.now() / 1000;
    for (const [name, scraper] of Object.entries({ prometheus, victoria })) {
      await t.step(`${name} answers joules per frame`, async () => {
        const perFrame = await valueAfter(scraper, PER_FRAME, knownAt + 2);
        assertAlmostEquals(perFrame, joules / frames, 0.05 * joules / frames);
      });
    }
    await t.step("the job is charged for what it took, and the method is named", async () => {
      const series =
        'worker_job_id:energy_joules_per_frame:ratio_rate1m{job_id="bars",method="encoding_time"}';
      // The job is first seen some frames after it began, and rates begin with what was seen first.
      assertAlmostEquals(
        await valueAfter(prometheus, series, knownAt),
        joules / frames,
        0.15 * joules / frames,
      );
    });
    await t.step("the worker that is simulated has its own figures", async () => {
      const watts = await prometheus.value('sum(avg_over_time(gpu_power_watts{worker="enc-2"}[1m]))');
      const counted = await prometheus.value('worker:gpu_energy_joules:rate1m{worker="enc-2"}');
      // A rate over a minute that is not over yet is too small.
      assertEquals(counted > 0.3 * watts && counted < 1.1 * watts, true, `${counted} of ${watts} W`);
      const shares = 'sum(worker_name:docker_container_cpu_share:ratio_rate1m{worker="enc-2"})';
      assertAlmostEquals(await prometheus.value(shares), 1, 0.001);
    });
    await t.step("no alert fires for the real worker, for nothing is wrong with it", async () => {
      const firing = await prometheus.query('ALERTS{alertstate="firing",worker="enc-1"}');
      assertEquals(firing.map(({ labels }) => labels["alertname"]), []);
    });
  },
});

/** Encodes for real, in real time, while the tree follows the script; returns the frames in the file. */
async function encode(folder: string, power: SteadyPower): Promise<number> {
  using output = temporaryFolder();
  const file = `${output.path}/bars.mp4`;
  let step = 0;
  const script = setInterval(() => {
    power.set(PACKAGE, SCRIPT_WATTS[step++ % SCRIPT_WATTS.length] ?? 0);
    power.set(MEMORY, step % 3);
  }, 500);
  const { success, stderr } = await new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostats", "-loglevel", "error", "-re", "-f", "lavfi"]
      .concat("-i", `testsrc=size=320x180:rate=25:duration=${ENCODE_SECONDS}`)
      .concat("-c:v", "libx264", "-preset", "ultrafast")
      .concat("-progress", `${folder}/bars?encoder=libx264&target_speed=0.5`, file),
    stdin: "null",
  }).output();
  clearInterval(script);
  power.set(PACKAGE, 0);
  power.set(MEMORY, 0);
  assertEquals(success, true, new TextDecoder().decode(stderr));
  const { stdout } = await new Deno.Command("ffprobe", {
    args: ["-loglevel", "error", "-count_packets", "-select_streams", "v"]
      .concat("-show_entries", "stream=nb_read_packets", "-of", "csv=print_section=0", file),
  }).output();
  return Number(new TextDecoder().decode(stdout).trim());
}

/**
 * The one value of a series, once it is of a later moment than `seconds` of Unix time.
 *
 * That takes a while with vmalert: VictoriaMetrics finds a new series only some ten seconds after its first
 * value, and rules build on rules.
 */
async function valueAfter(scraper: Scraper, series: string, seconds: number): Promise<number> {
  return await eventually(async () => {
    const at = await scraper.value(`timestamp(${series})`);
    if (at < seconds) throw new Error(`${series} is of ${at}`);
    return await scraper.value(series);
  }, 40_000);
}

async function startSimulated(name: "gpu" | "docker"): Promise<ExporterProcess> {
  return await startExporter(name, { script: `simulation/${name}.ts`, permissions: ["--no-prompt", "-A"] });
}

/** A list of workers whose exporters have ports of their own. */
function fleet(workers: Record<string, Record<string, ExporterProcess>>): string {
  return Object.entries(workers).flatMap(([worker, exporters]) =>
    Object.entries(exporters).map(([name, { port }]) =>
      `- targets: ["127.0.0.1:${port}"]\n  labels:\n    worker: ${worker}\n    __exporters: ${name}\n`
    )
  ).join("");
}

function temporaryFolder(): Disposable & { path: string } {
  const path = Deno.makeTempDirSync({ prefix: "monitoring-test-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
