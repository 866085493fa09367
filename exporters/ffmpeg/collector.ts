/**
 * Turns the board of jobs into samples.
 *
 * @module
 */
import type { Collection, Collector } from "../../lib/collector.ts";
import { type HistogramState, Snapshot } from "../../lib/exposition.ts";
import { addEncoders } from "./encoder_metrics.ts";
import { type Job, JOB_STATES, type JobState } from "./job.ts";
import { type Intake, REJECT_REASONS } from "./intake.ts";
import { type JobBoard, SPEED_BUCKETS } from "./job_board.ts";
import { INGEST_METRICS, JOB_METRICS, WORKER_METRICS } from "./metrics.ts";

/** What the collector reads. */
export interface JobCollectorOptions {
  readonly intake: Intake;
  /** Requests that bring reports and are open now. */
  readonly openConnections: () => number;
  /** Called first, to read what jobs have reported since. */
  readonly refresh?: () => void;
}

/** Publishes every job, the worker's totals and how reports are taken. */
export class JobCollector implements Collector {
  readonly source = "jobs";
  readonly #options: JobCollectorOptions;

  /** A collector of the intake's board. */
  constructor(options: JobCollectorOptions) {
    this.#options = options;
  }

  /** Reads the board as it is now. */
  collect(): Collection {
    const { intake, openConnections, refresh } = this.#options;
    refresh?.();
    const { board } = intake;
    const snapshot = new Snapshot();
    const nowMs = board.nowMs();
    const states: Record<JobState, number> = { running: 0, stalled: 0, paused: 0, ended: 0, lost: 0 };
    const jobs = board.jobs();
    for (const job of jobs) {
      const state = job.state(nowMs, board.stallAfterMs);
      states[state]++;
      addJob(snapshot, job, state, board);
    }
    for (const state of JOB_STATES) snapshot.add(WORKER_METRICS.jobs, states[state], { state });
    addTotals(snapshot, intake);
    addEncoders(snapshot, jobs, board.failed);
    snapshot.add(INGEST_METRICS.connections, openConnections());
    return { up: true, snapshot, problems: [] };
  }
}

function addJob(snapshot: Snapshot, job: Job, state: JobState, board: JobBoard): void {
  const nowMs = board.nowMs();
  const labels = job.labels.job;
  const { info, targetSpeed } = job.description;
  snapshot.add(JOB_METRICS.info, 1, job.labels.info);
  for (const each of JOB_STATES) {
    snapshot.add(JOB_METRICS.state, each === state ? 1 : 0, job.labels.states[each]);
  }
  snapshot.add(JOB_METRICS.exitCode, job.exitCode, labels);
  const { counters } = job;
  snapshot.add(JOB_METRICS.frames, counters.frames, labels);
  snapshot.add(JOB_METRICS.droppedFrames, counters.droppedFrames, labels);
  snapshot.add(JOB_METRICS.duplicatedFrames, counters.duplicatedFrames, labels);
  snapshot.add(JOB_METRICS.outputBytes, counters.outputBytes, labels);
  snapshot.add(JOB_METRICS.mediaSeconds, counters.mediaSeconds, labels);
  if (job.via !== "exit") {
    snapshot.add(JOB_METRICS.encodingSeconds, job.encodingSeconds(nowMs), labels);
    snapshot.add(JOB_METRICS.lastAdvance, board.toUnixMs(job.lastAdvanceMs) / 1000, labels);
  }
  if (info.target_speed) snapshot.add(JOB_METRICS.targetSpeed, targetSpeed, labels);
  if (job.outcome === undefined) addRecent(snapshot, job, nowMs);
}

/** What holds only while the job goes on. */
function addRecent(snapshot: Snapshot, job: Job, nowMs: number): void {
  const labels = job.labels.job;
  const { mediaSeconds } = job.counters;
  const { durationSeconds, framePixels, targetSpeed } = job.description;
  const rise = job.rise(nowMs);
  const speed = rise && rise.mediaSeconds / rise.seconds;
  const fps = rise && rise.frames / rise.seconds;
  snapshot.add(JOB_METRICS.speed, speed, labels);
  snapshot.add(JOB_METRICS.fps, fps, labels);
  if (rise && rise.frames > 0) {
    snapshot.add(JOB_METRICS.frameSeconds, rise.seconds / rise.frames, labels);
  }
  if (rise && rise.mediaSeconds > 0) {
    snapshot.add(JOB_METRICS.outputRate, rise.outputBytes / rise.mediaSeconds, labels);
  }
  if (fps !== undefined && framePixels !== undefined) {
    snapshot.add(JOB_METRICS.pixelRate, fps * framePixels, labels);
  }
  snapshot.add(JOB_METRICS.averageFps, job.lastBlock?.averageFps, labels);
  snapshot.add(JOB_METRICS.averageSpeed, job.lastBlock?.averageSpeed, labels);
  snapshot.add(JOB_METRICS.averageOutputRate, job.lastBlock?.averageBytesPerSecond, labels);
  for (const { output, stream, quantizer } of job.quantizers()) {
    snapshot.add(JOB_METRICS.quantizer, quantizer, { job_id: job.id, output, stream });
  }
  snapshot.add(JOB_METRICS.deficit, job.deficit(nowMs, targetSpeed), labels);
  if (mediaSeconds === undefined || durationSeconds === undefined) return;
  const leftSeconds = Math.max(0, durationSeconds - mediaSeconds);
  snapshot.add(JOB_METRICS.progress, Math.min(1, mediaSeconds / durationSeconds), labels);
  if (speed !== undefined && speed > 0) snapshot.add(JOB_METRICS.remaining, leftSeconds / speed, labels);
}

function addTotals(snapshot: Snapshot, { board, rejected, blocks, parseErrors }: Intake): void {
  const { totals } = board;
  snapshot.add(WORKER_METRICS.frames, totals.frames);
  snapshot.add(WORKER_METRICS.droppedFrames, totals.droppedFrames);
  snapshot.add(WORKER_METRICS.duplicatedFrames, totals.duplicatedFrames);
  snapshot.add(WORKER_METRICS.mediaSeconds, totals.mediaSeconds);
  snapshot.add(WORKER_METRICS.outputBytes, totals.outputBytes);
  snapshot.add(WORKER_METRICS.pixels, totals.pixels);
  const refused = Object.values(rejected).reduce((sum, count) => sum + count);
  const finished = { ended: board.finished.ended, lost: board.finished.lost, rejected: refused };
  for (const [result, count] of Object.entries({ ...finished, stalled: board.finished.stalled })) {
    snapshot.add(WORKER_METRICS.finished, count, { result });
  }
  for (const result of ["failure", "success"] as const) {
    snapshot.add(WORKER_METRICS.exited, board.exited[result], { result });
  }
  snapshot.addHistogram(WORKER_METRICS.speed, speedHistogram(board));
  snapshot.add(INGEST_METRICS.blocks, blocks);
  for (const reason of REJECT_REASONS) {
    snapshot.add(INGEST_METRICS.rejected, rejected[reason], { reason });
  }
  snapshot.add(INGEST_METRICS.parseErrors, parseErrors);
}

function speedHistogram({ speeds }: JobBoard): HistogramState {
  let count = 0;
  const buckets = SPEED_BUCKETS.map((bound, index) => {
    count += speeds.counts[index] ?? 0;
    return [bound, count] as const;
  });
  return { buckets, sum: speeds.sum, count: count + (speeds.counts[SPEED_BUCKETS.length] ?? 0) };
}
