/**
 * A board of jobs under a clock that the test moves, fed with recorded reports.
 *
 * @module
 */
import { JobCollector } from "../../exporters/ffmpeg/collector.ts";
import { Intake } from "../../exporters/ffmpeg/intake.ts";
import type { Job, JobVia } from "../../exporters/ffmpeg/job.ts";
import { JobBoard, type JobBoardOptions } from "../../exporters/ffmpeg/job_board.ts";
import { describeJob } from "../../exporters/ffmpeg/job_description.ts";
import type { Command } from "../../exporters/ffmpeg/command.ts";
import type { ProgressBlock } from "../../exporters/ffmpeg/progress_block.ts";
import { ProgressParser, type ProgressParserOptions } from "../../exporters/ffmpeg/progress_parser.ts";
import { Report } from "../../exporters/ffmpeg/report.ts";
import type { RunError } from "../../exporters/ffmpeg/report_error.ts";
import type { ReportedEncode } from "../../exporters/ffmpeg/report_header.ts";
import { Exposition } from "../../lib/exposition.ts";
import { createLogger } from "../../lib/log.ts";

/** A logger that keeps quiet. */
export const QUIET = createLogger({ write: () => {} });

/** The first moment of the test clock: 14 November 2023. */
export const START_MS = 1_700_000_000_000;

const ENCODER = new TextEncoder();

/** A board whose time stands still until the test moves it. */
export class TestBoard extends JobBoard {
  /** Takes reports for this board. */
  readonly intake: Intake = new Intake(this);
  readonly #clock: { ms: number };

  /** A board with the exporter's defaults, or others. */
  constructor(options: Partial<JobBoardOptions> = {}) {
    const clock = { ms: START_MS };
    super({
      maxJobs: 1000,
      jobTtlMs: 120_000,
      stallAfterMs: 10_000,
      log: QUIET,
      nowMs: () => clock.ms,
      wallClockMs: options.nowMs ?? (() => clock.ms),
      ...options,
    });
    this.#clock = clock;
  }

  /** Lets time pass, with a tick each second. */
  pass(ms: number): void {
    const endMs = this.#clock.ms + ms;
    while (this.#clock.ms < endMs) {
      this.#clock.ms = Math.min(endMs, this.#clock.ms + 1000);
      this.tick();
    }
  }

  /** Opens a job that is taken. @throws {Error} when it is refused */
  begin(id: string, { via = "progress", query = "" }: { via?: JobVia; query?: string } = {}): Job {
    const description = describeJob(new URLSearchParams(query));
    const { job, refused } = this.open({ id, via, description, startedMs: this.nowMs() });
    if (refused) throw new Error(`refused: ${refused}`);
    return job;
  }

  /** Reports a block of a few values. */
  send(job: Job, values: Partial<ProgressBlock>): Job {
    return this.intake.report(job, { final: false, quantizers: [], ...values });
  }

  /** The page as it is now, with the metrics of the jobs alone. */
  async page(): Promise<string> {
    const collection = new JobCollector({ intake: this.intake, openConnections: () => 0 }).collect();
    return await new Exposition().render([collection.snapshot], "text");
  }

  /** The value of a series on the page, or undefined. */
  async value(series: string): Promise<number | undefined> {
    return valueOf(await this.page(), series);
  }
}

/** The value of a series on a page, or undefined. */
export function valueOf(page: string, series: string): number | undefined {
  const line = page.split("\n").find((line) => line.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text);
}

/** Parses chunks and returns the blocks and the number of errors. */
export function parseChunks(
  chunks: Iterable<Uint8Array>,
  options: Pick<ProgressParserOptions, "midStream" | "report"> = {},
): { blocks: ProgressBlock[]; errors: number } {
  const blocks: ProgressBlock[] = [];
  let errors = 0;
  const parser = new ProgressParser({
    ...options,
    onBlock: (block) => blocks.push(block),
    onError: () => errors++,
  });
  for (const chunk of chunks) parser.push(chunk);
  parser.end();
  return { blocks, errors };
}

/** What a report shows. */
export interface ParsedReport extends ReturnType<typeof parseChunks> {
  readonly encode: ReportedEncode | undefined;
  readonly command: Command | undefined;
  readonly failures: RunError[];
}

/** Parses the chunks of a report. */
export function parseReport(chunks: Iterable<Uint8Array>): ParsedReport {
  let encode: ReportedEncode | undefined;
  let command: Command | undefined;
  const failures: RunError[] = [];
  const report = new Report({
    onEncode: (...found) => void ([encode, command] = found),
    onFailure: (error) => void failures.push(error),
  });
  const parsed = parseChunks(chunks, { report });
  return { ...parsed, encode, command, failures };
}

/** A block as `-progress` writes it. */
export function progressText(frame: number, { end = false, fps = 25 } = {}): string {
  const us = Math.round(frame / fps * 1e6);
  return `frame=${frame}\nfps=${fps}.00\nstream_0_0_q=28.0\nbitrate= 800.0kbits/s\ntotal_size=${
    frame * 4000
  }\n` +
    `out_time_us=${us}\nout_time_ms=${us}\nout_time=00:00:00.000000\ndup_frames=0\ndrop_frames=0\nspeed=1.00x\n` +
    `progress=${end ? "end" : "continue"}\n`;
}

/** The recorded and built bodies, by file name. */
export function corpus(): Map<string, Uint8Array<ArrayBuffer>> {
  const folder = new URL("../fixtures/ffmpeg/corpus/", import.meta.url);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== "README.md");
  return new Map(names.sort().map((name) => [name, Deno.readFileSync(new URL(`./${name}`, folder))]));
}
