/**
 * Finds which process is which job's: by the progress file or URL in its arguments, by the pid that the job gave, or
 * by the command that stands in the job's report.
 *
 * @module
 */
import type { EncoderProcess } from "./encoder_process.ts";
import type { Job } from "./job.ts";
import type { JobBoard } from "./job_board.ts";
import { describeJob } from "./job_description.ts";

/** How much younger than its job a process may seem, as both are known to a second or so, in milliseconds. */
const AGE_TOLERANCE_MS = 5_000;

/** What is joined. */
export interface JoinOptions {
  readonly board: JobBoard;
  readonly processes: Iterable<EncoderProcess>;
  /** How long ago a process started, in milliseconds. */
  readonly ageMs: (process: EncoderProcess) => number;
}

/** Sets the process of each job that has one, and returns the job of each process that has one. */
export function joinJobs({ board, processes, ageMs }: JoinOptions): Map<EncoderProcess, Job> {
  const joined = new Map<EncoderProcess, Job>();
  const free = new Set<EncoderProcess>();
  for (const process of processes) {
    const job = jobOfArguments(process, board);
    if (job && canHave(job, process)) join(joined, job, process);
    else free.add(process);
  }
  if (free.size === 0) return joined;
  const byPid = Map.groupBy(free, ({ pid }) => pid);
  const byInnerPid = Map.groupBy(free, ({ innerPid }) => innerPid);
  const byDigest = Map.groupBy(free, ({ command }) => command.digest);
  const served = new Set(joined.values());
  for (const job of board.jobs()) {
    if (served.has(job)) continue;
    const jobAgeMs = board.nowMs() - job.startedMs;
    const [nearest] = candidatesOf(job, { byPid, byInnerPid, byDigest })
      .filter((process) => !joined.has(process) && canHave(job, process))
      .map((process) => ({ process, excessMs: ageMs(process) - jobAgeMs }))
      .filter(({ process, excessMs }) => job.process === process || excessMs > -AGE_TOLERANCE_MS)
      .sort((left, right) => Math.abs(left.excessMs) - Math.abs(right.excessMs));
    if (nearest) join(joined, job, nearest.process);
  }
  return joined;
}

function join(joined: Map<EncoderProcess, Job>, job: Job, process: EncoderProcess): void {
  if (job.process !== process) {
    job.process = process;
    // What its report shows is better known.
    const { encoder } = process.command;
    if (!job.reported && encoder) job.complete(describeJob(new URLSearchParams({ encoder })));
  }
  joined.set(process, job);
}

/** The job that the arguments of a process name. */
function jobOfArguments({ command, fileJobId }: EncoderProcess, board: JobBoard): Job | undefined {
  if (fileJobId !== undefined) {
    const job = board.get(fileJobId);
    return job?.via === "file" ? job : undefined;
  }
  const { progressJobId } = command;
  const job = progressJobId === undefined ? undefined : board.get(progressJobId);
  return job?.via === "progress" || job?.via === "ingest" ? job : undefined;
}

/** Whether a job can be that of a process: it is, or it goes on and no other process is or was its own. */
function canHave(job: Job, process: EncoderProcess): boolean {
  return job.process === process || (job.outcome === undefined && job.process === undefined);
}

interface Indexes {
  readonly byPid: ReadonlyMap<number, EncoderProcess[]>;
  readonly byInnerPid: ReadonlyMap<number, EncoderProcess[]>;
  readonly byDigest: ReadonlyMap<number, EncoderProcess[]>;
}

function candidatesOf(
  { description, command }: Job,
  { byPid, byInnerPid, byDigest }: Indexes,
): EncoderProcess[] {
  if (command) return byDigest.get(command.digest) ?? [];
  const pid = Number(description.info.pid || NaN);
  const onHost = byPid.get(pid);
  if (onHost) return onHost;
  // A job in a container gives the pid that it has there; several containers may have the same one.
  const inside = byInnerPid.get(pid) ?? [];
  return inside.length === 1 ? inside : [];
}
