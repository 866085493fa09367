/**
 * Watches the ffmpeg processes of the machine: finds the job of each, and reports on them as a source.
 *
 * @module
 */
import type { Collection, Collector, Problem } from "../../lib/collector.ts";
import { messageOf } from "../../lib/errors.ts";
import { Snapshot } from "../../lib/exposition.ts";
import { refusalOf } from "../../lib/permissions.ts";
import { type EncoderProcess, PROCESS_STATES } from "./encoder_process.ts";
import type { Job } from "./job.ts";
import type { JobBoard } from "./job_board.ts";
import { heldUp, type MachineCpu, readMachineCpu } from "./machine_cpu.ts";
import { joinJobs } from "./process_jobs.ts";
import { PROCESS_METRICS } from "./process_metrics.ts";
import { ProcessTable } from "./process_table.ts";

/** Least and most time from one look to the next, in milliseconds. */
const LOOK_PERIODS_MS = [1_000, 4_000] as const;
/** A look may take one in so many parts of the time: a machine with 10,000 processes is looked at less often. */
const COST_SHARE = 60;
/** What a look takes is the shortest of so many: on a busy machine, most of a long one was waiting. */
const LOOKS_MEASURED = 5;
/** A look that was taken within this time is fresh enough for a scrape, in milliseconds. */
const FRESH_MS = 100;
/** A job that advanced within this time does not wait, in milliseconds. */
const STILL_MS = 3_000;

/** Options of {@linkcode ProcessWatch}. */
export interface ProcessWatchOptions {
  readonly board: JobBoard;
  /** A bind mount of /proc. */
  readonly path: string;
  /** Names of the programs that are watched. */
  readonly names: readonly string[];
}

/** Watches processes. */
export class ProcessWatch implements Collector {
  readonly source = "processes";
  readonly #board: JobBoard;
  readonly #path: string;
  readonly #table: ProcessTable;
  #jobs = new Map<EncoderProcess, Job>();
  #problems: readonly Problem[] = [];
  #isReadable = false;
  #machineCpu: MachineCpu | undefined;
  #lookedMs = -Infinity;
  /** How long the last looks took, in milliseconds. */
  readonly #tookMs: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A tree that was not looked at yet. */
  constructor({ board, path, names }: ProcessWatchOptions) {
    this.#board = board;
    this.#path = path.replace(/(?<=.)\/+$/, "");
    this.#table = new ProcessTable({
      path: this.#path,
      names,
      limit: board.maxJobs,
      nowMs: board.nowMs,
    });
  }

  /** Looks now and then periodically. */
  start(): void {
    this.look();
    const [least, most] = LOOK_PERIODS_MS;
    const periodMs = Math.min(Math.max(least, this.#affordableMs), most);
    this.#timer = setTimeout(() => this.start(), periodMs);
  }

  /** Ends the looking. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Reads the processes, and which job is whose. */
  look(): void {
    const startedMs = performance.now();
    this.#lookedMs = this.#board.nowMs();
    try {
      this.#table.look();
      this.#machineCpu = heldUp(this.#machineCpu, readMachineCpu(`${this.#path}/stat`));
      this.#jobs = joinJobs({
        board: this.#board,
        processes: this.#table.processes.values(),
        ageMs: (process) => this.#table.ageMs(process),
      });
      this.#isReadable = true;
      this.#problems = this.#shortcomings();
    } catch (error) {
      this.#isReadable = false;
      this.#problems = [this.#folderProblem(error)];
      // Nothing is known of them now: what a job does is judged by its reports alone.
      for (const job of this.#jobs.values()) if (job.process?.goneMs === undefined) job.process = undefined;
      this.#jobs.clear();
    }
    this.#tookMs.unshift(performance.now() - startedMs);
    this.#tookMs.length = Math.min(this.#tookMs.length, LOOKS_MEASURED);
  }

  /** Time between two looks that keeps their cost within its share, in milliseconds. */
  get #affordableMs(): number {
    return COST_SHARE * Math.min(...this.#tookMs);
  }

  /** Publishes the processes; looks first if the last look is old and looks are short. */
  collect(): Collection {
    const freshMs = Math.max(FRESH_MS, this.#affordableMs);
    if (this.#board.nowMs() - this.#lookedMs > freshMs) this.look();
    const snapshot = new Snapshot();
    if (this.#isReadable) this.#addAll(snapshot);
    return { up: this.#isReadable, snapshot, problems: this.#problems };
  }

  #addAll(snapshot: Snapshot): void {
    const nowMs = this.#board.nowMs();
    const counts = new Map<string, number>();
    const processes = [...this.#table.processes.values()].sort((left, right) => left.pid - right.pid);
    for (const process of processes) {
      const job = this.#jobs.get(process);
      const key = `${process.state} ${job !== undefined}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      this.#add(snapshot, process, job);
    }
    for (const state of PROCESS_STATES) {
      for (const observed of ["false", "true"]) {
        snapshot.add(PROCESS_METRICS.processes, counts.get(`${state} ${observed}`) ?? 0, { state, observed });
      }
    }
    for (const job of this.#board.jobs()) addJob(snapshot, job, nowMs);
    snapshot.add(PROCESS_METRICS.workerCpu, this.#table.cpuSeconds);
    snapshot.add(PROCESS_METRICS.machineCpu, this.#machineCpu?.busySeconds, { state: "busy" });
    snapshot.add(PROCESS_METRICS.machineCpu, this.#machineCpu?.idleSeconds, { state: "idle" });
  }

  #add(snapshot: Snapshot, process: EncoderProcess, job: Job | undefined): void {
    const { labels } = process;
    const { pageBytes } = this.#table;
    snapshot.add(PROCESS_METRICS.info, 1, process.infoLabels(job?.id ?? ""));
    snapshot.add(PROCESS_METRICS.cpu, process.cpuSeconds, labels);
    snapshot.add(PROCESS_METRICS.memory, pageBytes && pageBytes * process.residentPages, labels);
    snapshot.add(PROCESS_METRICS.start, this.#table.startSeconds(process), labels);
    snapshot.add(PROCESS_METRICS.orphaned, process.isOrphaned ? 1 : 0, labels);
  }

  /** What is wrong though the table can be read. */
  #shortcomings(): Problem[] {
    const problems: Problem[] = [];
    if (!this.#table.seesAll) {
      problems.push({
        reason: "hidden",
        message:
          `Cannot see all processes in "${this.#path}": the first one is not there, so bind a /proc that is mounted without hidepid= and of the host's own pid namespace`,
      });
    }
    if (this.#table.excess > 0) {
      problems.push({
        reason: "too_many",
        message: `Cannot follow ${this.#table.excess} more ffmpeg processes: too many, so raise --max-jobs`,
      });
    }
    return problems;
  }

  #folderProblem(error: unknown): Problem {
    const folder = `Cannot read the processes in "${this.#path}"`;
    if (error instanceof Deno.errors.NotFound) {
      return {
        reason: "missing",
        message:
          `${folder}: it does not exist, so bind /proc there: "mount --bind /proc ${this.#path}", or "BindReadOnlyPaths=/proc:${this.#path}" in a unit; it is looked for again`,
      };
    }
    switch (refusalOf(error)) {
      case "flag":
        return {
          reason: "permission",
          message: `${folder}: the permissions do not cover it: start with "--allow-read=${this.#path}"`,
        };
      case "system":
        return {
          reason: "permission",
          message: `${folder}: permission denied, so let the exporter's user list it (chmod 555)`,
        };
    }
    return {
      reason: "invalid",
      message: `${folder}: ${messageOf(error)}`,
    };
  }
}

function addJob(snapshot: Snapshot, job: Job, nowMs: number): void {
  const { process, labels } = job;
  if (!process) return;
  snapshot.add(PROCESS_METRICS.jobCpu, process.cpuSeconds, labels.job);
  if (job.outcome !== undefined || process.goneMs !== undefined) return;
  const isStill = nowMs - job.lastAdvanceMs > STILL_MS;
  snapshot.add(PROCESS_METRICS.waiting, isStill && process.isIdle?.(nowMs) ? 1 : 0, labels.job);
}
