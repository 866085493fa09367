/**
 * One encode: its counters, how fast they rise, whether it still runs.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { completeDescription, describeJob, type JobDescription } from "./job_description.ts";
import type { ProgressBlock, Quantizer } from "./progress_block.ts";
import { RateWindow, type Rise } from "./rate_window.ts";
import { runTimeOf, type StartHints, startOfRun } from "./run_time.ts";
import type { RunError } from "./report_error.ts";
import type { ReportedEncode } from "./report_header.ts";

/** How a job reports: by which path over HTTP, by a progress file, through standard input, or by exit code alone. */
export type JobVia = "progress" | "ingest" | "file" | "stdin" | "exit";
/** All of {@linkcode JobState}. */
export const JOB_STATES = ["running", "stalled", "paused", "ended", "lost"] as const;
/** What a job does now: it is `lost` when its reports stopped for good without a last one. */
export type JobState = typeof JOB_STATES[number];
/** How the reports of a job stopped. */
export type JobOutcome = "ended" | "lost" | "stalled";

/** What ffmpeg counts of a job: frames, bytes of the first output, seconds of media. */
export const COUNTERS = [
  "frames",
  "duplicatedFrames",
  "droppedFrames",
  "outputBytes",
  "mediaSeconds",
] as const;
/** One of {@linkcode COUNTERS}. */
export type Counter = typeof COUNTERS[number];

/** How a {@linkcode Job} begins. */
export interface JobOptions {
  readonly id: string;
  readonly via: JobVia;
  readonly description: JobDescription;
  /** When it began, or when it was first heard of, in milliseconds by the board's clock, as all times. */
  readonly startedMs: number;
  /** See {@linkcode StartHints}. */
  readonly sinceMs?: number | undefined;
  /** See {@linkcode StartHints}. */
  readonly bornMs?: number | undefined;
  /** Whether it had begun before anyone listened: what it had done by its first report counts as done elsewhere. */
  readonly isUnderWay?: boolean;
}

/** What is known of a job's process, by whoever watches processes. */
export interface JobProcess {
  /** On the host. */
  readonly pid: number;
  /** Whether it is stopped by a signal (state T). */
  readonly isStopped: boolean;
  /** What its arguments show. */
  readonly command?: Command | undefined;
  /** CPU time of all its threads, in seconds, as last seen. */
  readonly cpuSeconds?: number;
  /** Whether it uses no CPU time though it runs. */
  isIdle?(nowMs: number): boolean;
  /** When it was found to be gone, in milliseconds by the board's clock; undefined while it lives. */
  readonly goneMs?: number | undefined;
}

/** The labels of a job's samples, made once: the page writes out each object once. */
export class JobLabels {
  readonly job: { readonly job_id: string };
  readonly info: { readonly job_id: string; readonly via: JobVia } & JobDescription["info"];
  readonly states: Readonly<Record<JobState, { readonly job_id: string; readonly state: JobState }>>;

  constructor(id: string, via: JobVia, { info }: JobDescription) {
    this.job = { job_id: id };
    this.info = { job_id: id, via, ...info };
    const states = JOB_STATES.map((state) => [state, { job_id: id, state }]);
    this.states = Object.fromEntries(states) as JobLabels["states"];
  }
}

/** One encode. Its fields are written by its own methods and by the board it is on. */
export class Job {
  readonly id: string;
  readonly via: JobVia;
  /** Its own parameters. */
  readonly own: JobDescription;
  /** The same, completed with what was found out about it. */
  description: JobDescription;
  labels: JobLabels;
  /** Undefined where nobody watches processes, or none is known to be this job's. */
  process: JobProcess | undefined;
  /** What its report shows of it; undefined where it writes none, or nothing of it was read. */
  reported: ReportedEncode | undefined;
  /** The command that its report shows. */
  command: Command | undefined;
  /** What ended its run, by its report; undefined while it goes on, and where it succeeded. */
  error: RunError | undefined;
  /** What it has done in all; what ffmpeg never reported is undefined. */
  readonly counters: { [C in Counter]?: number } = {};
  startedMs: number;
  /** When a counter last rose. */
  lastAdvanceMs: number;
  /** The last report; undefined before the first one. */
  lastBlock: ProgressBlock | undefined;
  finishedMs: number | undefined;
  outcome: JobOutcome | undefined;
  exitCode: number | undefined;
  exitedMs: number | undefined;
  /** The process that exited, where that is known. */
  exitPid: number | undefined;
  /** Whether its source cannot be read now, so that nothing is known about it. */
  isSuspended = false;
  readonly #window = new RateWindow();
  #encodingSeconds = 0;
  readonly #isUnderWay: boolean;
  readonly #startHints: StartHints;
  /** Time of the first report; others of the same time were made earlier and read at once. */
  #joinedMs: number | undefined;

  /** A job that has not reported yet. */
  constructor(
    { id, via, description, startedMs, sinceMs, bornMs, isUnderWay = false }: JobOptions,
  ) {
    this.id = id;
    this.via = via;
    this.own = description;
    this.description = description;
    this.labels = new JobLabels(id, via, description);
    this.#startHints = { heardMs: startedMs, sinceMs, bornMs };
    this.startedMs = startOfRun(this.#startHints, undefined, startedMs);
    this.lastAdvanceMs = startedMs;
    this.#isUnderWay = isUnderWay;
  }

  /** Takes what its report shows of it. */
  learn(reported: ReportedEncode, command: Command | undefined): void {
    this.reported = reported;
    this.command = command;
    const found = Object.entries({ ...reported, duration: reported.durationSeconds });
    const known = found.filter(([, value]) => value !== undefined).map((
      [name, value],
    ) => [name, String(value)]);
    this.complete(describeJob(new URLSearchParams(known)));
  }

  /** Adds what was found out about it; its own parameters stay. */
  complete(found: JobDescription): void {
    this.description = completeDescription(this.own, found);
    this.labels = new JobLabels(this.id, this.via, this.description);
  }

  /** Whether a report can only come from another run under the same id: it has done less than this one. */
  isAnotherRun({ frames, mediaSeconds }: ProgressBlock): boolean {
    const done = this.counters;
    if (frames !== undefined && done.frames !== undefined) return frames < done.frames;
    // The time reached may step back a little where streams interleave.
    return mediaSeconds !== undefined && mediaSeconds < (done.mediaSeconds ?? 0) - 1;
  }

  /** Takes a report and returns by how much each counter rose. */
  accept(block: ProgressBlock, atMs: number): Record<Counter, number> {
    const isFirst = this.lastBlock === undefined;
    if (isFirst) this.#joinedMs = atMs;
    // A progress file brings all earlier reports at once; the last of them knows best when the encode began.
    const isInFile = this.via === "file" && this.#joinedMs === atMs;
    if (isInFile) this.startedMs = startOfRun(this.#startHints, block, atMs);
    const isEarlier = this.isJoined(atMs);
    const periodMs = this.lastBlock && periodBetween(this.lastBlock, block);
    this.lastBlock = block;
    let advanced = isFirst;
    const rises = { frames: 0, duplicatedFrames: 0, droppedFrames: 0, outputBytes: 0, mediaSeconds: 0 };
    for (const name of COUNTERS) {
      const rise = this.#raise(name, block[name]);
      if (rise > 0) advanced = true;
      if (!isEarlier) rises[name] = rise;
    }
    if (advanced) this.lastAdvanceMs = atMs;
    const { frames = NaN, mediaSeconds = NaN, outputBytes = NaN } = this.counters;
    this.#window.add(atMs, { frames, mediaSeconds, outputBytes }, periodMs);
    return rises;
  }

  /** Whether reports of this time were made before the exporter heard of the job. */
  isJoined(atMs: number): boolean {
    return this.#isUnderWay && this.#joinedMs === atMs;
  }

  /** Raises a counter and returns by how much. */
  #raise(name: Counter, value: number | undefined): number {
    if (value === undefined) return 0;
    const before = this.counters[name];
    const after = Math.max(value, before ?? 0, 0);
    this.counters[name] = after;
    return after - (before ?? 0);
  }

  /** Marks the end of its reports. */
  finish(outcome: JobOutcome, atMs: number): void {
    this.outcome = outcome;
    this.finishedMs = atMs;
  }

  /** Its process has exited. */
  exit(code: number, atMs: number, pid?: number): void {
    this.exitCode = code;
    this.exitedMs = atMs;
    this.exitPid = pid;
  }

  /** Takes back the end: it was given up, and reports again. */
  revive(): void {
    this.outcome = undefined;
    this.finishedMs = undefined;
  }

  /** When its process was found to be gone, or has exited; undefined while it may live. */
  get goneMs(): number | undefined {
    return this.exitedMs ?? this.process?.goneMs;
  }

  /** What it does now. */
  state(nowMs: number, stallAfterMs: number): JobState {
    if (this.outcome !== undefined) return this.outcome === "ended" ? "ended" : "lost";
    if (this.goneMs !== undefined) return "lost";
    if (this.process?.isStopped) return "paused";
    // Only its end will bring a report.
    if (this.command?.isSilent && this.lastBlock === undefined) return "running";
    // A job cannot be known to stand still before its next report is overdue.
    const patienceMs = Math.max(this.description.stallAfterMs ?? stallAfterMs, this.#window.graceMs ?? 0);
    return nowMs - this.lastAdvanceMs > patienceMs ? "stalled" : "running";
  }

  /**
   * Seconds of media that are missing of what a speed would have brought since it began, as of the last report or, where
   * one is overdue, of now less the usual time between two; undefined where no media time is known.
   */
  deficit(nowMs: number, speed: number): number | undefined {
    const { mediaSeconds } = this.counters;
    if (mediaSeconds === undefined) return undefined;
    return (this.#window.knownUntilMs(nowMs) - this.startedMs) / 1000 * speed - mediaSeconds;
  }

  /** By how much its counters rose lately; undefined before its second report and after its end. */
  rise(nowMs: number): Rise | undefined {
    return this.outcome === undefined ? this.#window.rise(nowMs) : undefined;
  }

  /**
   * Wall clock from its beginning to now or to its end, in seconds. It never falls: the end is known after the
   * fact, and a later time may have been published.
   */
  encodingSeconds(nowMs: number): number {
    const seconds = ((this.finishedMs ?? nowMs) - this.startedMs) / 1000;
    return this.#encodingSeconds = Math.max(this.#encodingSeconds, seconds);
  }

  /** The quantizers of the last report that are known: a negative one is not. */
  quantizers(): Quantizer[] {
    if (this.outcome !== undefined) return [];
    return (this.lastBlock?.quantizers ?? []).filter(({ quantizer }) =>
      quantizer >= 0 && !Object.is(quantizer, -0)
    );
  }
}

/** Time between two reports by what they hold, in milliseconds. */
function periodBetween(earlier: ProgressBlock, later: ProgressBlock): number | undefined {
  const [from, to] = [runTimeOf(earlier), runTimeOf(later)];
  return from && to && 1000 * Math.max(0, to.seconds - from.seconds);
}
