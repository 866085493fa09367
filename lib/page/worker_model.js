/**
 * The worker as a whole, from what its exporters publish: figures, jobs, and why a job falls behind.
 *
 * Pure functions of the exporters' metrics: a figure whose parts are not all known is absent or a lower bound.
 *
 * @module
 */
import { format } from "./format.js";

/** Below this share of the speed it should have, a job falls behind. */
const BEHIND_SHARE = 0.98;
/** From this load on an encoder or a container's CPU limit explains a slow job. */
const FULL_LOAD = 0.95;
/** States of jobs that are not over. */
const LIVE_STATES = ["stalled", "paused", "running"];

/**
 * @param exporters name -> Map of metric name -> [{labels, value}], for each exporter that answered
 * @returns `{figures, jobs}`; a figure is `{id, title, value, detail, share}`, `value` undefined where it is unknown
 */
export function describeWorker(exporters) {
  const worker = new Readings(exporters);
  const jobs = describeJobs(worker);
  const power = describePower(worker);
  return {
    figures: [
      { id: "power", title: "Power now", ...power.figure },
      { id: "energy", title: "Energy per frame", ...describeEnergy(worker, power) },
      { id: "jobs", title: "Jobs", ...describeJobCount(worker, jobs) },
      { id: "gpu", title: "GPU", ...describeGpus(worker) },
      { id: "containers", title: "Containers", ...describeContainers(worker) },
    ],
    jobs,
  };
}

/** Looks values up in the pages of all exporters. */
class Readings {
  #exporters;

  constructor(exporters) {
    this.#exporters = exporters;
  }

  answers(exporter) {
    return this.#exporters[exporter] !== undefined;
  }

  all(metric) {
    for (const families of Object.values(this.#exporters)) {
      const samples = families.get(metric);
      if (samples) return samples;
    }
    return [];
  }

  /** The value of the series whose labels include `labels`. */
  one(metric, labels = {}) {
    return this.all(metric).find((sample) => includes(sample.labels, labels))?.value;
  }

  /** Their sum; undefined where there is none. */
  sum(metric) {
    const samples = this.all(metric);
    return samples.length === 0 ? undefined : samples.reduce((sum, { value }) => sum + value, 0);
  }

  /** The labels of the series of an info metric. */
  labels(metric, labels) {
    return this.all(metric).find((sample) => includes(sample.labels, labels))?.labels ?? {};
  }
}

function includes(labels, wanted) {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function describePower(worker) {
  const cpu = worker.one("rapl_node_power_watts");
  const gpu = worker.sum("gpu_power_watts");
  const hasNoGpu = worker.one("gpu_devices") === 0;
  const gpusRead = worker.all("gpu_power_watts").length;
  const isComplete = cpu !== undefined &&
    (hasNoGpu || (gpusRead > 0 && gpusRead === worker.all("gpu_up").length));
  if (cpu === undefined && gpu === undefined) {
    return { figure: { detail: "neither RAPL nor NVML can be read here" } };
  }
  const watts = (cpu ?? 0) + (gpu ?? 0);
  const parts = [
    cpu === undefined ? "CPU unknown" : `CPU ${format(cpu, "W")}`,
    ...(hasNoGpu ? [] : [gpu === undefined ? "GPU unknown" : `GPU ${format(gpu, "W")}`]),
  ];
  return {
    watts: isComplete ? watts : undefined,
    figure: {
      value: `${isComplete ? "" : "≥ "}${format(watts, "W")}`,
      number: watts,
      detail: parts.join(", "),
    },
  };
}

function describeEnergy(worker, { watts }) {
  const fps = worker.sum("ffmpeg_job_fps");
  if (!worker.answers("ffmpeg")) return { detail: "the ffmpeg exporter does not answer" };
  if (!fps) return { detail: "no frames are encoded now" };
  if (watts === undefined) return { detail: "unknown while a part of the power is" };
  const encoding = worker.all("ffmpeg_job_fps").filter(({ value }) => value > 0).length;
  return {
    value: format(watts / fps, "J"),
    number: watts / fps,
    detail: `${fps.toFixed(fps < 100 ? 1 : 0)} frames per second by ${count(encoding, "job")}`,
  };
}

function describeJobCount(worker, jobs) {
  if (!worker.answers("ffmpeg")) return { detail: "the ffmpeg exporter does not answer" };
  const behind = jobs.filter(({ note }) => note).length;
  const unobserved = worker.all("ffmpeg_processes").filter(({ labels }) => labels.observed === "false")
    .reduce((sum, { value }) => sum + value, 0);
  return {
    value: String(jobs.length),
    number: jobs.length,
    detail: [
      jobs.length === 0
        ? "none"
        : behind === 0
        ? "all keep up"
        : `${behind} need${behind === 1 ? "s" : ""} attention`,
      ...(unobserved > 0 ? [`${unobserved} more ffmpeg without reports`] : []),
    ].join(", "),
    isBad: behind > 0,
  };
}

function describeGpus(worker) {
  if (!worker.answers("gpu")) return { detail: "the gpu exporter does not answer" };
  const utilization = worker.all("gpu_utilization_ratio");
  if (utilization.length === 0) {
    return { detail: worker.one("gpu_devices") === 0 ? "none in this machine" : "cannot be read" };
  }
  const highest = Math.max(...utilization.map(({ value }) => value));
  const encoder = worker.all("gpu_encoder_utilization_ratio").map(({ value }) => value);
  const sessions = worker.sum("gpu_encoder_sessions");
  return {
    value: format(highest, "ratio"),
    number: highest,
    detail: [
      ...(utilization.length > 1 ? [`highest of ${utilization.length}`] : []),
      ...(encoder.length > 0 ? [`encoder ${format(Math.max(...encoder), "ratio")}`] : []),
      ...(sessions === undefined ? [] : [count(sessions, "session")]),
    ].join(", "),
  };
}

function describeContainers(worker) {
  if (!worker.answers("docker")) return { detail: "the docker exporter does not answer" };
  const running = worker.one("docker_containers", { state: "running" });
  if (running === undefined) return { detail: "the engine cannot be read" };
  const cpu = worker.sum("docker_container_cpu_percent");
  return {
    value: String(running),
    number: running,
    detail: cpu === undefined ? "running" : `running, CPU ${format(cpu / 100, "")} cores`,
  };
}

/** Every job that is not over, those that need attention first. */
function describeJobs(worker) {
  const jobs = worker.all("ffmpeg_job_state")
    .filter(({ labels, value }) => value === 1 && LIVE_STATES.includes(labels.state))
    .map(({ labels: { job_id, state } }) => {
      const value = (metric) => worker.one(metric, { job_id });
      const job = {
        id: job_id,
        state,
        speed: value("ffmpeg_job_speed_ratio"),
        target: value("ffmpeg_job_target_speed_ratio"),
        fps: value("ffmpeg_job_fps"),
        progress: value("ffmpeg_job_progress_ratio"),
      };
      const deficit = job.target === undefined ? undefined : value("ffmpeg_job_realtime_deficit_seconds");
      return { ...job, deficit, note: explain(worker, job) };
    });
  return jobs.sort((left, right) => Number(Boolean(right.note)) - Number(Boolean(left.note)));
}

/** Why a job needs attention, or undefined where it does not. */
function explain(worker, { id, state, speed, target }) {
  if (state === "paused") return "is paused: its process is stopped";
  if (worker.one("ffmpeg_job_encoder_fallback", { job_id: id }) === 1) {
    return "encodes in software although hardware was asked for";
  }
  const isBehind = speed !== undefined && target !== undefined && speed < BEHIND_SHARE * target;
  if (state !== "stalled" && !isBehind) return undefined;
  const what = state === "stalled"
    ? "is stalled: no progress"
    : `falls behind: ${speed.toFixed(2)} of ${target.toFixed(2)} times realtime`;
  return `${what}; ${causeOf(worker, id)}`;
}

/** What is at its limit where the job runs. */
function causeOf(worker, id) {
  const process = worker.labels("ffmpeg_process_info", { job_id: id });
  const info = worker.labels("ffmpeg_job_info", { job_id: id });
  if (/nvenc/.test(`${process.encoder} ${info.encoder}`)) {
    const full = worker.all("gpu_encoder_utilization_ratio").find(({ value }) => value >= FULL_LOAD);
    if (full) return `the encoder of GPU ${full.labels.gpu} is at ${format(full.value, "ratio")}`;
  }
  if (process.container) {
    const percent = worker.one("docker_container_cpu_percent", { id: process.container });
    const limit = worker.one("docker_container_cpu_limit_ratio", { id: process.container });
    if (percent !== undefined && limit > 0 && percent >= FULL_LOAD * limit * 100) {
      return `its container uses all of its CPU limit of ${format(limit, "")} cores`;
    }
  }
  return "neither its GPU nor its container is at a limit that is known here: check its input and the CPU's load";
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
