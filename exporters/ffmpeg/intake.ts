/**
 * The one door for reports, whichever way they come: opens jobs on the board, reads reports for them, and counts
 * what was read and what was refused.
 *
 * @module
 */
import type { Job, JobOptions } from "./job.ts";
import type { JobBoard, Opening, Refusal } from "./job_board.ts";
import type { ProgressBlock } from "./progress_block.ts";
import { ProgressParser } from "./progress_parser.ts";
import { Report } from "./report.ts";

/** Why a request is refused. */
export type RejectReason = Refusal | "address" | "busy" | "cross_site";
/** All of {@linkcode RejectReason}. */
export const REJECT_REASONS: readonly RejectReason[] = [
  "address",
  "busy",
  "cross_site",
  "duplicate",
  "max_jobs",
];

/** Takes reports for a board. */
export class Intake {
  readonly board: JobBoard;
  /** Requests and files refused, by reason. */
  readonly rejected: Record<RejectReason, number> = {
    address: 0,
    busy: 0,
    cross_site: 0,
    duplicate: 0,
    max_jobs: 0,
  };
  /** Reports read. */
  blocks = 0;
  /** Values and lines that could not be read. */
  parseErrors = 0;

  /** Takes reports for this board. */
  constructor(board: JobBoard) {
    this.board = board;
  }

  /** Opens a job, with a name if it gave none. */
  open(options: JobOptions): Opening {
    return this.board.open({ ...options, id: options.id || this.#anonymousId() });
  }

  /** Takes a report; see {@linkcode JobBoard.report}. */
  report(job: Job, block: ProgressBlock, atMs?: number): Job {
    this.blocks++;
    return this.board.report(job, block, atMs);
  }

  /** Counts what is refused. */
  reject(reason: RejectReason): void {
    this.rejected[reason]++;
  }

  /** A name for a job that gave none, as low as possible so that names come back. */
  #anonymousId(): string {
    let number = 1;
    while (this.board.isLive(`anonymous-${number}`)) number++;
    return `anonymous-${number}`;
  }
}

/** Options of {@linkcode ReportStream}. */
export interface ReportStreamOptions {
  /** The job that reports. */
  readonly job?: Job | undefined;
  /** Called for each report without a job; undefined: it is refused. */
  readonly open?: () => Job | undefined;
  /** Whether the bytes begin somewhere within a report. @default {false} */
  readonly midStream?: boolean;
}

/** The reports of one job, as bytes come. */
export class ReportStream {
  /** The job that reports: another one, with the same id, once a new run has begun; undefined while refused. */
  job: Job | undefined;
  readonly #intake: Intake;
  readonly #report: Report;
  readonly #parser: ProgressParser;
  #atMs: number | undefined;

  /** Reads the reports of a job that is open, or opens one when the first report has come. */
  constructor(intake: Intake, { job, open = () => undefined, midStream = false }: ReportStreamOptions) {
    this.job = job;
    this.#intake = intake;
    this.#report = new Report({
      onEncode: (encode, command) => {
        this.job ??= open();
        this.job?.learn(encode, command);
      },
      onFailure: (error) => {
        if (this.job) intake.board.fail(this.job, error, this.#atMs);
      },
    });
    this.#parser = new ProgressParser({
      midStream,
      report: this.#report,
      onBlock: (block) => {
        this.job ??= open();
        if (this.job) this.job = intake.report(this.job, block, this.#atMs);
      },
      onError: () => intake.parseErrors++,
    });
  }

  /** Takes the beginning of a report of which the rest is read from somewhere later on. */
  pushHead(chunk: Uint8Array, atMs?: number): void {
    this.#atMs = atMs;
    const ignore = (): void => {};
    new ProgressParser({ report: this.#report, onBlock: ignore, onError: ignore }).push(chunk);
  }

  /** Takes the next bytes. @param atMs when they were written, if not now */
  push(chunk: Uint8Array, atMs?: number): void {
    this.#atMs = atMs;
    this.#parser.push(chunk);
  }

  /** The reports have stopped. */
  end(): void {
    this.#parser.end();
    if (this.job) this.#intake.board.close(this.job);
  }
}
