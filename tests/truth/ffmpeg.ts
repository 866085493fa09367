/**
 * The ffmpeg exporter beside real encodes, held against ffmpeg's own last block and ffprobe.
 *
 * @module
 */
import { ENCODER_METRICS } from "../../exporters/ffmpeg/encoder_metrics.ts";
import {
  FOLDER_METRICS,
  INGEST_METRICS,
  JOB_METRICS,
  WORKER_METRICS,
} from "../../exporters/ffmpeg/metrics.ts";
import { PROCESS_METRICS } from "../../exporters/ffmpeg/process_metrics.ts";
import type { MetricDefinition } from "../../lib/exposition.ts";
import type { Subject } from "../soak/subjects.ts";
import type { ExporterProcess } from "../support/exporter_process.ts";
import type { Random } from "../support/random.ts";
import { type RigOptions, startOnRig } from "../support/rigs/rig.ts";
import { RealEncodes, type RealJob, type Reported } from "./encodes.ts";
import type { Account, Row } from "./row.ts";
import { createSubject, type Source } from "./subject.ts";

const MOST_JOBS = 2;
const STALL_AFTER_MS = 3_000;
/** From the file to the page: the folder is looked at twice a second. */
const MAX_AGE_MS = 1_500;

class FfmpegSource implements Source {
  readonly encodes: RealEncodes;
  readonly #folder: string;

  constructor(folder: string, encodes: RealEncodes, readonly exporter: ExporterProcess) {
    this.#folder = folder;
    this.encodes = encodes;
  }

  static async create(options: RigOptions): Promise<FfmpegSource> {
    const folder = await Deno.makeTempDir({ prefix: "truth-ffmpeg-" });
    const progress = `${folder}/progress`;
    await Deno.mkdir(progress);
    const args = [`--progress-dir=${progress}`, `--stall-after=${STALL_AFTER_MS}ms`, "--job-ttl=1h"];
    const exporter = await startOnRig("ffmpeg", args, options);
    return new FfmpegSource(folder, new RealEncodes(folder, progress), exporter);
  }

  churn(random: Random): void {
    const running = [...this.encodes.jobs.values()].filter(({ isOver }) => !isOver);
    if (running.length < MOST_JOBS && random.chance(0.2)) this.encodes.start(random.int(2, 20));
    for (const job of running) if (random.chance(job.isStopped ? 0.05 : 0.01)) this.encodes.toggle(job);
    const [contradiction] = this.encodes.contradictions.splice(0);
    if (contradiction !== undefined) throw new Error(contradiction);
  }

  look(): Promise<void> {
    for (const job of this.encodes.jobs.values()) job.reported = this.encodes.read(job) ?? job.reported;
    return Promise.resolve();
  }

  /** The jobs that have reported. */
  get jobs(): (RealJob & { reported: Reported })[] {
    return [...this.encodes.jobs.values()].filter((job) => job.reported !== undefined) as (RealJob & {
      reported: Reported;
    })[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exporter[Symbol.asyncDispose]();
    await this.encodes.end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

type Read = (reported: Reported) => number;
const number = (name: string, unit = 1): Read => ({ values }) =>
  Number.parseFloat(values.get(name) ?? "") * unit;

function ofJob(read: Read): Account<FfmpegSource> {
  return ({ jobs }) =>
    jobs.map(({ id, reported }) => [[id], read(reported)] as const).filter(([, value]) =>
      Number.isFinite(value)
    );
}

/** Least and most of the last blocks: more than one comes between two looks, and none is shown of what has ended. */
function recently(name: string, unit = 1): Account<FfmpegSource> {
  return ({ jobs }) =>
    jobs.flatMap(({ id, reported: { recent } }) => {
      const values = recent.map((values) => Number.parseFloat(values.get(name) ?? "") * unit)
        .filter(Number.isFinite);
      return values.length === 0 ? [] : [[[id], [Math.min(...values), Math.max(...values)]] as const];
    });
}

function ofAll(read: Read): Account<FfmpegSource> {
  return ({ jobs }) => [[[], jobs.reduce((sum, { reported }) => sum + (read(reported) || 0), 0)]];
}

const BLOCK = "ffmpeg's last block; its frames at the end against ffprobe";
const JOB = { against: BLOCK, labels: ["job_id"], isBetween: true } as const;
const AVERAGE = { ...JOB, mayBeAbsent: true, why: "any of the last eight blocks" } as const;

/** Values of a block: of a job, and of all together. */
const COUNTERS: readonly (readonly [job: MetricDefinition, all: MetricDefinition, read: Read])[] = [
  [JOB_METRICS.frames, WORKER_METRICS.frames, number("frame")],
  [JOB_METRICS.droppedFrames, WORKER_METRICS.droppedFrames, number("drop_frames")],
  [JOB_METRICS.duplicatedFrames, WORKER_METRICS.duplicatedFrames, number("dup_frames")],
  [JOB_METRICS.outputBytes, WORKER_METRICS.outputBytes, number("total_size")],
  // Before the first frame is written it can be negative, or N/A.
  [
    JOB_METRICS.mediaSeconds,
    WORKER_METRICS.mediaSeconds,
    (reported) => Math.max(0, number("out_time_us", 1e-6)(reported)),
  ],
];

/** Its state by what ffmpeg has reported and when: 0 to 1 where it may be on the way to another. */
function states(
  { reported: { isFinal, changedSeconds } }: { reported: Reported },
): [string, number, number][] {
  const quietMs = Date.now() - changedSeconds * 1000;
  const isStalled = !isFinal && quietMs > STALL_AFTER_MS + 2_000;
  const mayBeStalled = !isFinal && quietMs > STALL_AFTER_MS - 500;
  return [
    ["ended", Number(isFinal), Number(isFinal)],
    ["running", Number(!isFinal && !mayBeStalled), Number(!isFinal && !isStalled)],
    ["stalled", Number(isStalled), Number(mayBeStalled)],
    ["paused", 0, 0],
    ["lost", 0, 0],
  ];
}

/** Metrics of the ffmpeg exporter. */
export const FFMPEG_ROWS: readonly Row<FfmpegSource>[] = [
  ...COUNTERS.flatMap(([job, all, read]): Row<FfmpegSource>[] => [
    { ...JOB, metric: job, account: ofJob(read) },
    { metric: all, against: BLOCK, isBetween: true, account: ofAll(read) },
  ]),
  { ...AVERAGE, metric: JOB_METRICS.averageFps, account: recently("fps") },
  { ...AVERAGE, metric: JOB_METRICS.averageSpeed, account: recently("speed") },
  { ...AVERAGE, metric: JOB_METRICS.averageOutputRate, account: recently("bitrate", 1000 / 8) },
  {
    ...AVERAGE,
    metric: JOB_METRICS.quantizer,
    labels: ["job_id", "output", "stream"],
    account: (source) =>
      [...recently("stream_0_0_q")(source)].map(([[id = ""], value]) => [[id, "0", "0"], value] as const),
  },
  {
    metric: JOB_METRICS.encodingSeconds,
    against: "birth and last change of the progress file",
    why: "1 s: the folder is looked at twice a second; it moves while the job runs",
    labels: ["job_id"],
    isBetween: true,
    tolerance: { absolute: 1 },
    account: ({ jobs }) =>
      jobs.map(({ id, reported: { bornSeconds, changedSeconds, isFinal } }) => {
        const until = isFinal ? changedSeconds : Date.now() / 1000;
        return [[id], [changedSeconds - bornSeconds, until - bornSeconds]];
      }),
  },
  {
    metric: JOB_METRICS.state,
    against: "ffmpeg's last block and how long ago it came",
    why: "from running to stalled between 2.5 and 5 s of silence (--stall-after=3s)",
    labels: ["job_id", "state"],
    account: ({ jobs }) =>
      jobs.flatMap((job) =>
        states(job).map(([state, least, most]) => [[job.id, state], [least, most]] as const)
      ),
  },
  {
    metric: WORKER_METRICS.jobs,
    against: "the encodes that were started",
    labels: ["state"],
    isBetween: true,
    account: ({ jobs }) =>
      ["running", "stalled", "ended", "paused", "lost"].map((state) => {
        const each = jobs.flatMap((job) => states(job)).filter(([name]) => name === state);
        // A job that has not reported yet is there, too.
        const unknown = state === "running" ? MOST_JOBS : 0;
        return [[state], [
          each.reduce((sum, [, least]) => sum + least, 0),
          each.reduce((sum, [, , most]) => sum + most, unknown),
        ]];
      }),
  },
  {
    metric: WORKER_METRICS.finished,
    against: "the encodes that ended",
    labels: ["result"],
    isBetween: true,
    account: ({ jobs }) => [
      [["ended"], jobs.filter(({ reported }) => reported.isFinal).length],
      ...["lost", "stalled", "rejected"].map((result) => [[result], 0] as const),
    ],
  },
  {
    metric: INGEST_METRICS.blocks,
    against: "the blocks in the progress files",
    isBetween: true,
    account: ofAll(({ blocks }) => blocks),
  },
  { metric: INGEST_METRICS.parseErrors, against: "reports of ffmpeg itself: 0", account: () => [[[], 0]] },
  {
    metric: INGEST_METRICS.rejected,
    against: "jobs that write files: 0",
    labels: ["reason"],
    account: () => ["address", "duplicate", "max_jobs", "cross_site", "busy"].map((reason) => [[reason], 0]),
  },
  { metric: INGEST_METRICS.connections, against: "jobs that write files: 0", account: () => [[[], 0]] },
  {
    metric: FOLDER_METRICS.files,
    against: "the encodes that were started",
    isBetween: true,
    account: ({ jobs, encodes }) => [[[], [jobs.length, encodes.jobs.size]]],
  },
  ...[
    JOB_METRICS.fps,
    JOB_METRICS.speed,
    JOB_METRICS.outputRate,
    JOB_METRICS.frameSeconds,
    JOB_METRICS.pixelRate,
    JOB_METRICS.deficit,
    JOB_METRICS.lastAdvance,
    JOB_METRICS.progress,
    JOB_METRICS.remaining,
    WORKER_METRICS.speed,
  ].map((metric) => ({
    metric,
    because: "ffmpeg has no such number: tests/ffmpeg/jobs_test.ts, by a clock of the test's",
  })),
  ...[JOB_METRICS.info, JOB_METRICS.targetSpeed, WORKER_METRICS.pixels].map((metric) => ({
    metric,
    because: "by parameters that no encode has here: tests/ffmpeg/encode_test.ts, tests/ffmpeg/jobs_test.ts",
  })),
  ...[JOB_METRICS.exitCode, WORKER_METRICS.exited].map((metric) => ({
    metric,
    because: "by scripts/ffmpeg-job: tests/ffmpeg/encode_test.ts holds it against real exits",
  })),
  ...Object.values(PROCESS_METRICS).map((metric) => ({
    metric,
    because: "off without --processes: tests/ffmpeg/processes_test.ts holds it against /proc",
  })),
  ...Object.values(ENCODER_METRICS).map((metric) => ({
    metric,
    because: "by reports (FFREPORT): tests/ffmpeg/report_jobs_test.ts holds it against real ones",
  })),
];

/** Starts it. */
export function ffmpegSubject(): Promise<Subject> {
  return createSubject({
    name: "ffmpeg",
    sources: ["progress_dir", "jobs", "http"],
    rows: FFMPEG_ROWS,
    maxAgeMs: MAX_AGE_MS,
    create: FfmpegSource.create,
  });
}
