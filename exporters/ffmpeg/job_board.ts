/**
 * All jobs of this worker and what they did together: totals outlive the jobs and never fall.
 *
 * @module
 */
import type { Logger } from "../../lib/log.ts";
import { describeJob } from "./job_description.ts";
import { type Counter, COUNTERS, Job, type JobOptions, type JobOutcome } from "./job.ts";
import type { ProgressBlock } from "./progress_block.ts";
import { RUN_ERRORS, type RunError } from "./report_error.ts";

/** Silence after which a job is given up without a sign of its end, in milliseconds. */
export const ABANDON_AFTER_MS = 3_600_000;
/** Time that a job's last report has to arrive after its exit code, in milliseconds. */
const EXIT_GRACE_MS = 2_000;
/** Within this time the same exit code of the same process is the one sent before, in milliseconds. */
const EXIT_REPEAT_MS = 10_000;

/** Upper bounds of the speed histogram's buckets, in seconds of media per second. */
export const SPEED_BUCKETS = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1, 1.05, 1.25, 1.5, 2, 3, 5, 10, 25, 100];

/** Why a job is not taken: one of its id runs, or there is no room. */
export type Refusal = "duplicate" | "max_jobs";
/** What becomes of a job that asks to be taken. */
export type Opening =
  | { readonly job: Job; readonly refused?: undefined }
  | { readonly job?: undefined; readonly refused: Refusal };

/** Options of {@linkcode JobBoard}. */
export interface JobBoardOptions {
  /** Jobs known at once, those included that have ended and are still shown. */
  readonly maxJobs: number;
  /** How long a job is shown after its end. */
  readonly jobTtlMs: number;
  /** How long a job may stand still before it counts as stalled. */
  readonly stallAfterMs: number;
  readonly log: Logger;
  /** A clock that never steps, in milliseconds since 1970. @default {monotonicEpochMs} */
  readonly nowMs?: () => number;
  /** The system's clock, which may be set. @default {Date.now} */
  readonly wallClockMs?: () => number;
}

/** Difference of the two clocks, from the one that was noted, that shows that one was set, in milliseconds. */
const CLOCK_TOLERANCE_MS = 50;

/** Milliseconds since 1970 by the clock of the start, going on steadily even if the system's clock is set. */
export function monotonicEpochMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The jobs of a worker. */
export class JobBoard {
  readonly #jobs = new Map<string, Job>();
  readonly #options: JobBoardOptions;
  readonly nowMs: () => number;
  readonly #wallClockMs: () => number;
  /** What the system's clock is ahead of the board's. */
  #offsetMs: number;
  /** What all jobs did since this exporter started. */
  readonly totals: Record<Counter | "pixels", number> = {
    frames: 0,
    duplicatedFrames: 0,
    droppedFrames: 0,
    outputBytes: 0,
    mediaSeconds: 0,
    pixels: 0,
  };
  readonly finished: Record<JobOutcome, number> = { ended: 0, lost: 0, stalled: 0 };
  readonly exited = { success: 0, failure: 0 };
  /** Runs that their reports show to have failed, by what ended them. */
  readonly failed = Object.fromEntries(RUN_ERRORS.map((error) => [error, 0])) as Record<RunError, number>;
  /** Samples of the jobs' speed, counted by bucket; the last one is for all that is faster. */
  readonly speeds = { counts: new Array<number>(SPEED_BUCKETS.length + 1).fill(0), sum: 0 };

  /** An empty board. */
  constructor(options: JobBoardOptions) {
    this.#options = options;
    this.nowMs = options.nowMs ?? monotonicEpochMs;
    this.#wallClockMs = options.wallClockMs ?? Date.now;
    this.#offsetMs = this.#wallClockMs() - this.nowMs();
  }

  /** The board's time of a Unix time, in milliseconds, by the system's clock as it is set now. */
  fromUnixMs(unixMs: number): number {
    return unixMs - this.#clockOffsetMs();
  }

  /** The reverse of {@linkcode fromUnixMs}. */
  toUnixMs(boardMs: number): number {
    return boardMs + this.#clockOffsetMs();
  }

  /** Steady while nobody sets the clock: the same moment is the same number each time. */
  #clockOffsetMs(): number {
    const offsetMs = this.#wallClockMs() - this.nowMs();
    if (Math.abs(offsetMs - this.#offsetMs) > CLOCK_TOLERANCE_MS) this.#offsetMs = offsetMs;
    return this.#offsetMs;
  }

  /** How long a job may stand still before it counts as stalled, in milliseconds. */
  get stallAfterMs(): number {
    return this.#options.stallAfterMs;
  }

  /** Most jobs at once. */
  get maxJobs(): number {
    return this.#options.maxJobs;
  }

  /** All jobs whose source can be read, in the order of their ids. */
  jobs(): Job[] {
    return [...this.#jobs.values()].filter((job) => !job.isSuspended)
      .sort((left, right) => left.id < right.id ? -1 : 1);
  }

  /** The job of this id, if it is still shown. */
  get(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** Whether a job of this id has begun and not ended. */
  isLive(id: string): boolean {
    const job = this.#jobs.get(id);
    return job !== undefined && job.outcome === undefined;
  }

  /** Why a job of this id would be refused now, if it would. */
  refusal(id: string): Refusal | undefined {
    const same = this.#jobs.get(id);
    if (!same) return this.#hasRoom() ? undefined : "max_jobs";
    // One that has stalled makes way for the next of its id.
    const state = same.state(this.nowMs(), this.stallAfterMs);
    const isAlive = state === "running" || state === "paused";
    return isAlive && same.exitCode === undefined ? "duplicate" : undefined;
  }

  /** A job begins to report. */
  open(options: JobOptions): Opening {
    const refused = this.refusal(options.id);
    if (refused) return { refused };
    const same = this.#jobs.get(options.id);
    if (same) this.close(same);
    const job = new Job(options);
    this.#add(job);
    this.#options.log.debug("job began", { job_id: job.id, via: job.via });
    return { job };
  }

  /**
   * Takes a job's report. Returns the job it belongs to: another one, with the same id, if a new run began.
   *
   * @param atMs when it was made, if not now
   */
  report(job: Job, block: ProgressBlock, atMs = this.nowMs()): Job {
    const current = this.#jobs.get(job.id);
    // Another job has taken its place.
    if (current && current !== job) return job;
    const isNewRun = job.outcome === "ended" || (job.lastBlock !== undefined && job.isAnotherRun(block));
    const target = isNewRun ? this.#renew(job, atMs) : job;
    if (!isNewRun && job.outcome !== undefined) this.#revive(job);
    const rises = target.accept(block, atMs);
    for (const counter of COUNTERS) this.totals[counter] += rises[counter];
    this.totals.pixels += rises.frames * (target.description.framePixels ?? 0);
    // One that had ended before was counted by the exporter that saw it end.
    if (block.final) this.#finish(target, "ended", atMs, !target.isJoined(atMs));
    return target;
  }

  /** A job's report shows that an error or a signal ended it. @param atMs when it was written, if not now */
  fail(job: Job, error: RunError, atMs = this.nowMs()): void {
    job.error = error;
    const isNews = !job.isJoined(atMs);
    if (isNews) this.failed[error]++;
    this.#finish(job, "ended", atMs, isNews);
  }

  /** A job's reports stop: without a last one it is lost. */
  close(job: Job): void {
    this.#finish(job, job.state(this.nowMs(), this.stallAfterMs) === "stalled" ? "stalled" : "lost");
  }

  /**
   * A job's process has exited. An id that never reported becomes a job, for it may have failed too early; that one
   * is over at once. Returns why the exit cannot be noted, if it cannot.
   */
  exit(id: string, exitCode: number, pid?: number): Refusal | undefined {
    const nowMs = this.nowMs();
    let job = this.#jobs.get(id);
    if (job?.exitedMs !== undefined) {
      const isSame = job.exitCode === exitCode && job.exitPid === pid;
      if (isSame && nowMs - job.exitedMs < EXIT_REPEAT_MS) return undefined;
      job = undefined;
    }
    if (!job) {
      if (!this.#jobs.has(id) && !this.#hasRoom()) return "max_jobs";
      const description = describeJob(new URLSearchParams());
      job = new Job({ id, via: "exit", description, startedMs: nowMs });
      this.#add(job);
    }
    job.exit(exitCode, nowMs, pid);
    this.exited[exitCode === 0 ? "success" : "failure"]++;
    if (job.via === "exit") this.#finish(job, "lost");
    this.#options.log.debug("job exited", { job_id: id, code: exitCode });
    return undefined;
  }

  /** Housekeeping, once a second: samples speeds, gives up silent jobs, evicts expired ones. */
  tick(): void {
    const nowMs = this.nowMs();
    for (const job of this.#jobs.values()) {
      if (job.finishedMs !== undefined) {
        if (nowMs - job.finishedMs > this.#options.jobTtlMs) this.#jobs.delete(job.id);
      } else if (nowMs - Math.max(job.goneMs ?? Infinity, job.lastAdvanceMs) > EXIT_GRACE_MS) {
        this.#finish(job, "lost", job.process?.goneMs);
      } else if (!job.isSuspended) {
        const isAlive = job.process !== undefined;
        if (!isAlive && nowMs - job.lastAdvanceMs > ABANDON_AFTER_MS) this.#finish(job, "stalled");
        else this.#sampleSpeed(job, nowMs);
      }
    }
  }

  #sampleSpeed(job: Job, nowMs: number): void {
    const rise = job.rise(nowMs);
    const speed = rise ? rise.mediaSeconds / rise.seconds : NaN;
    if (Number.isNaN(speed)) return;
    const found = SPEED_BUCKETS.findIndex((bound) => speed <= bound);
    const index = found < 0 ? SPEED_BUCKETS.length : found;
    this.speeds.counts[index] = (this.speeds.counts[index] ?? 0) + 1;
    this.speeds.sum += speed;
  }

  #finish(job: Job, outcome: JobOutcome, atMs = this.nowMs(), isNews = true): void {
    if (job.outcome !== undefined) return;
    job.finish(outcome, atMs);
    if (isNews) this.finished[outcome]++;
    this.#options.log.debug("job finished", { job_id: job.id, result: outcome });
  }

  #renew(job: Job, atMs: number): Job {
    this.#finish(job, "lost");
    const renewed = new Job({ id: job.id, via: job.via, description: job.own, startedMs: atMs });
    if (job.reported) renewed.learn(job.reported, job.command);
    this.#add(renewed);
    return renewed;
  }

  #revive(job: Job): void {
    job.revive();
    this.#add(job);
  }

  #hasRoom(): boolean {
    return this.#jobs.size < this.maxJobs || this.#firstFinished() !== undefined;
  }

  /** Puts a job on the board, if need be in place of the one that ended first. */
  #add(job: Job): void {
    if (!this.#jobs.has(job.id) && this.#jobs.size >= this.maxJobs) {
      const oldest = this.#firstFinished();
      if (oldest) this.#jobs.delete(oldest.id);
    }
    this.#jobs.set(job.id, job);
  }

  #firstFinished(): Job | undefined {
    let first: Job | undefined;
    for (const job of this.#jobs.values()) {
      if (job.finishedMs === undefined) continue;
      if (first?.finishedMs === undefined || job.finishedMs < first.finishedMs) first = job;
    }
    return first;
  }
}
