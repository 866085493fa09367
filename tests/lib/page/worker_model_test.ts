/** What the page makes of the exporters' metrics. */
import { assertEquals } from "@std/assert";
import { parseMetrics } from "../../../lib/page/metrics_text.js";
import { describeWorker } from "../../../lib/page/worker_model.js";

const CPU = "rapl_node_power_watts 150\n";
const GPU = [
  'gpu_devices 1\ngpu_up{gpu="0"} 1\ngpu_power_watts{gpu="0"} 50\ngpu_utilization_ratio{gpu="0"} 0.5',
  'gpu_encoder_utilization_ratio{gpu="0"} 0.97\ngpu_encoder_sessions{gpu="0"} 3\n',
].join("\n");
const JOBS = `ffmpeg_job_state{job_id="live",state="running"} 1
ffmpeg_job_state{job_id="live",state="ended"} 0
ffmpeg_job_speed_ratio{job_id="live"} 0.8
ffmpeg_job_target_speed_ratio{job_id="live"} 1
ffmpeg_job_fps{job_id="live"} 20
ffmpeg_job_state{job_id="film",state="running"} 1
ffmpeg_job_fps{job_id="film"} 80
ffmpeg_job_speed_ratio{job_id="film"} 0.4
ffmpeg_job_state{job_id="old",state="ended"} 1
`;

interface Model {
  figures: { id: string; value?: string; detail: string }[];
  jobs: { id: string; note?: string }[];
}

function model(pages: Record<string, string>): Model {
  return describeWorker(
    Object.fromEntries(Object.entries(pages).map(([name, text]) => [name, parseMetrics(text)])),
  ) as Model;
}

function figure(pages: Record<string, string>, id: string): [string | undefined, string] {
  const found = model(pages).figures.find((figure) => figure.id === id);
  return [found?.value, found?.detail ?? ""];
}

Deno.test("power is the sum where all its parts are known, and a lower bound or absent where not", () => {
  assertEquals(figure({ cpu: CPU, gpu: GPU }, "power"), ["200 W", "CPU 150 W, GPU 50.0 W"]);
  assertEquals(figure({ cpu: CPU, gpu: "gpu_devices 0\n" }, "power"), ["150 W", "CPU 150 W"]);
  assertEquals(figure({ cpu: CPU }, "power"), ["≥ 150 W", "CPU 150 W, GPU unknown"]);
  assertEquals(figure({ gpu: GPU }, "power"), ["≥ 50.0 W", "CPU unknown, GPU 50.0 W"]);
  assertEquals(figure({ cpu: CPU, gpu: `${GPU}gpu_up{gpu="1"} 0\n` }, "power")[0], "≥ 200 W");
  assertEquals(figure({}, "power"), [undefined, "neither RAPL nor NVML can be read here"]);
});

Deno.test("energy per frame is power by frames, and absent while a part of either is unknown", () => {
  assertEquals(figure({ cpu: CPU, gpu: GPU, ffmpeg: JOBS }, "energy"), [
    "2.00 J",
    "100 frames per second by 2 jobs",
  ]);
  assertEquals(figure({ cpu: CPU, ffmpeg: JOBS }, "energy")[0], undefined);
  assertEquals(figure({ cpu: CPU, gpu: GPU }, "energy"), [undefined, "the ffmpeg exporter does not answer"]);
  assertEquals(figure({ cpu: CPU, gpu: GPU, ffmpeg: "" }, "energy"), [
    undefined,
    "no frames are encoded now",
  ]);
});

const PROCESS = 'ffmpeg_process_info{pid="7",job_id="live",container="c0ffee000001",encoder="nvenc"} 1\n';
const CONTAINER = 'docker_container_cpu_percent{id="c0ffee000001",name="a"} 199\n' +
  'docker_container_cpu_limit_ratio{id="c0ffee000001",name="a"} 2\n';

for (
  const [name, pages, note] of [
    [
      "the GPU's encoder is full",
      { ffmpeg: JOBS + PROCESS, gpu: GPU },
      "falls behind: 0.80 of 1.00 times realtime; the encoder of GPU 0 is at 97.0 %",
    ],
    [
      "its container is at its limit",
      { ffmpeg: JOBS + PROCESS.replace("nvenc", "software"), docker: CONTAINER },
      "falls behind: 0.80 of 1.00 times realtime; its container uses all of its CPU limit of 2 cores",
    ],
    [
      "nothing known is at a limit",
      { ffmpeg: JOBS },
      "falls behind: 0.80 of 1.00 times realtime; neither its GPU nor its container is at a limit that is known " +
      "here: check its input and the CPU's load",
    ],
    [
      "it is paused",
      { ffmpeg: JOBS.replace('live",state="running', 'live",state="paused') },
      "is paused: its process is stopped",
    ],
    [
      "hardware was asked for",
      { ffmpeg: `${JOBS}ffmpeg_job_encoder_fallback{job_id="live"} 1\n` },
      "encodes in software although hardware was asked for",
    ],
  ] as const
) {
  Deno.test(`a job that needs attention comes first, with the reason: ${name}`, () => {
    const { jobs } = model(pages);
    assertEquals(jobs.map(({ id }) => id), ["live", "film"], "an ended job is no job of now");
    assertEquals(
      jobs.map(({ note }) => note),
      [note, undefined],
      "a job without a target cannot fall behind",
    );
  });
}

Deno.test("parseMetrics() reads names as they were written", () => {
  const text = '# HELP a b\n# TYPE a gauge\na{x="1 \\"q\\" \\\\ \\n \u2028 {,}"} 1\nb 2e-3\n';
  assertEquals(
    [...parseMetrics(text)],
    [["a", [{ labels: { x: '1 "q" \\ \n \u2028 {,}' }, value: 1 }]], ["b", [{ labels: {}, value: 0.002 }]]],
  );
});
