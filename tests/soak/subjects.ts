/**
 * The exporters on simulated sources that never stand still, each with what is true of them at any moment.
 *
 * @module
 */
import type { ExporterName } from "../../exporters/catalog.ts";
import { FOLLOWED_ACTIONS } from "../../exporters/docker/event_stream.ts";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import { CPU_FAULTS } from "../faults/cpu.ts";
import { DOCKER_FAULTS } from "../faults/docker.ts";
import { type Fault, WITHOUT_OVERRIDE } from "../faults/fault.ts";
import { FFMPEG_FAULTS } from "../faults/ffmpeg.ts";
import { GPU_FAULTS } from "../faults/gpu.ts";
import type { Random } from "../support/random.ts";
import { CpuRig } from "../support/rigs/cpu.ts";
import { DockerRig } from "../support/rigs/docker.ts";
import { FfmpegRig, JOB } from "../support/rigs/ffmpeg.ts";
import { GpuRig } from "../support/rigs/gpu.ts";
import type { Rig, RigOptions } from "../support/rigs/rig.ts";
import { keyOf, type Tracked, type Truth } from "./truth.ts";

/** An exporter under test. */
export interface Subject {
  readonly rig: Rig;
  /** Faults that can happen to it any number of times. */
  readonly faults: readonly Fault[];
  readonly tracked: readonly Tracked[];
  /** How old a value on a page may be, in milliseconds. */
  readonly maxAgeMs: number;
  /** More series than it can ever have to show. */
  readonly maxSeries: number;
  /** Changes the source a little. */
  churn(random: Random): void | Promise<void>;
  /** What is true now. */
  truth(): Truth | Promise<Truth>;
  /** What is true moves by itself: it is asked for again after every page. */
  readonly isMoving?: boolean;
  /** How long the source took to answer somebody else lately, in milliseconds: values are as much older. */
  sourceMs?(): number;
  /** Lets the source stand still, so that what is lossy can be compared from there on. */
  rest?(): void;
}

/** Starts all subjects by name. They may not open every file though they are root: so that files can be closed to them. */
export const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  cpu: cpuSubject,
  gpu: gpuSubject,
  ffmpeg: ffmpegSubject,
  docker: dockerSubject,
};

/**
 * How they are started: a program of the tests adds a page that tells what memory is in use after collecting
 * garbage. V8 lets that of an idle process lie for hours.
 */
function startOf(name: ExporterName): RigOptions {
  const withoutOverride = typeof WITHOUT_OVERRIDE.start === "function" ? {} : WITHOUT_OVERRIDE.start;
  return { ...withoutOverride, script: `tests/support/probes/${name}.ts`, v8: "--expose-gc" };
}

/** Those that a running exporter can meet again and again. */
function repeatable<R extends Rig>(faults: readonly Fault<R>[]): Fault[] {
  const chosen = faults.filter((fault) =>
    !fault.once && !fault.fromStart && fault.values !== "ends" &&
    (fault.start === undefined || fault.start === WITHOUT_OVERRIDE.start)
  );
  // Each meets the rig that it was written for.
  return chosen as unknown as Fault[];
}

async function cpuSubject(): Promise<Subject> {
  const rig = await CpuRig.create(startOf("cpu"));
  const drawn = new Map(rig.paths.map((path) => [path, 0]));
  return {
    rig,
    faults: repeatable(CPU_FAULTS.faults),
    tracked: [{ name: "rapl_energy_joules_total", labels: ["path"], isLossy: true }],
    maxAgeMs: 1_000,
    maxSeries: 150,
    churn(random): void {
      for (const path of rig.paths) {
        // Up to 300 W, now and then an idle zone.
        const microjoules = random.chance(0.9) ? random.int(0, 60_000_000) : 0;
        rig.draw(path, BigInt(microjoules));
        drawn.set(path, (drawn.get(path) ?? 0) + microjoules);
      }
    },
    truth: () =>
      new Map(
        [...drawn].map(([path, microjoules]) => [keyOf("rapl_energy_joules_total", path), microjoules / 1e6]),
      ),
  };
}

async function gpuSubject(): Promise<Subject> {
  const rig = await GpuRig.create(startOf("gpu"));
  return {
    rig,
    faults: repeatable(GPU_FAULTS.faults),
    tracked: ["gpu_power_watts", "gpu_energy_joules_total", "gpu_encoder_sessions"].map((name) => ({
      name,
      labels: ["gpu"],
    })),
    maxAgeMs: 500,
    maxSeries: 500,
    churn(random): void {
      for (const gpu of rig.gpus) {
        gpu.milliwatts = random.int(15_000, 350_000);
        gpu.millijoules += random.int(0, 70_000);
        // Without one, the list of sessions is not asked for, and a lie in it not heard.
        gpu.sessions = random.int(1, 12);
      }
      rig.write();
    },
    truth: () =>
      new Map(rig.gpus.flatMap(({ milliwatts, millijoules, sessions }, gpu): [string, number][] => [
        [keyOf("gpu_power_watts", `${gpu}`), milliwatts / 1000],
        [keyOf("gpu_energy_joules_total", `${gpu}`), millijoules / 1000],
        [keyOf("gpu_encoder_sessions", `${gpu}`), sessions],
      ])),
  };
}

const JOB_TTL_MS = 2_000;
const MOST_JOBS = 8;

async function ffmpegSubject(): Promise<Subject> {
  const rig = await FfmpegRig.create({ ...startOf("ffmpeg"), args: [`--job-ttl=${JOB_TTL_MS}ms`] });
  let started = 0;
  return {
    rig,
    // A job that begins again counts from 0, rightly: here no counter may fall.
    faults: repeatable(FFMPEG_FAULTS.faults).filter(({ kind }) => kind !== "restarting"),
    tracked: [
      // The end is seen at the next look, and what is over is forgotten at the next tick.
      { name: "ffmpeg_job_frames_total", labels: ["job_id"], lingerMs: JOB_TTL_MS + 3_000 },
      // Some faults bring a job with frames of its own.
      { name: "ffmpeg_frames_total", isLossy: true, isBetween: true },
    ],
    maxAgeMs: 1_500,
    maxSeries: 1_200,
    async churn(random): Promise<void> {
      const jobs = [...rig.jobs.keys()].filter((job) => job !== JOB);
      if (jobs.length < MOST_JOBS && random.chance(0.2)) {
        await rig.begin(`job-${++started}`, random.chance(0.5) ? "file" : "post");
      }
      for (const job of [JOB, ...jobs]) {
        if (job !== JOB && random.chance(0.02)) await rig.end(job);
        else if (random.chance(0.5)) await rig.advance(job, random.int(0, 40));
      }
    },
    truth: () =>
      new Map([
        ...[...rig.jobs].map((
          [job, frames],
        ): [string, number] => [keyOf("ffmpeg_job_frames_total", job), frames]),
        [keyOf("ffmpeg_frames_total"), rig.framesInAll],
      ]),
  };
}

/** Containers that come and go. */
const POOL = 12;
const ACTIONS = ["start", "die", "oom", "restart"] as const;

async function dockerSubject(): Promise<Subject> {
  const rig = await DockerRig.create(startOf("docker"));
  const { engine } = rig;
  const events = new Map<string, number>(FOLLOWED_ACTIONS.map((action) => [action, 0]));
  const pool = Array.from({ length: POOL }, (_, index) => simulatedContainer(100 + index));
  return {
    rig,
    faults: repeatable(DOCKER_FAULTS.faults),
    tracked: [
      { name: "docker_container_memory_usage_bytes", labels: ["name"] },
      { name: "docker_events_total", labels: ["action"] },
    ],
    maxAgeMs: 2_500,
    maxSeries: 2_500,
    churn(random): void {
      for (const container of pool) {
        if (random.chance(0.03)) {
          if (engine.containers.has(container.id)) engine.containers.delete(container.id);
          else engine.add(container);
        }
      }
      for (const container of engine.containers.values()) {
        if (random.chance(0.3)) container.memoryBytes = random.int(40, 4_000) * 1024 ** 2;
        if (!random.chance(0.05)) continue;
        const action = random.pick([...ACTIONS] as [string, ...string[]]);
        engine.emit(container, action, action === "die" ? { exitCode: "0" } : {});
        events.set(action, (events.get(action) ?? 0) + 1);
      }
    },
    truth: () =>
      new Map([
        ...[...engine.containers.values()].map(({ name, memoryBytes, cacheBytes }): [string, number] => [
          keyOf("docker_container_memory_usage_bytes", name),
          memoryBytes - cacheBytes / 2,
        ]),
        ...[...events].map((
          [action, count],
        ): [string, number] => [keyOf("docker_events_total", action), count]),
      ]),
  };
}
