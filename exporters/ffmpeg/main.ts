/**
 * The FFmpeg exporter: what each running ffmpeg reports of its encode, on port 9506.
 *
 * Needs `--allow-net=0.0.0.0:9506`; with `--progress-dir DIR` also `--allow-read=DIR`, which it keeps.
 *
 * @module
 */
import { type Exporter, type ExporterProgram, runExporter } from "../../lib/exporter.ts";
import { type Flags, parseDurationMs } from "../../lib/options.ts";
import { JobCollector } from "./collector.ts";
import { HttpServer } from "./http_server.ts";
import { Ingest } from "./ingest.ts";
import { Intake } from "./intake.ts";
import { LOOPBACK, parseIpRanges } from "./ip_range.ts";
import { JobBoard } from "./job_board.ts";
import { FFMPEG_PAGE } from "./page.ts";
import { ProgressFolder } from "./progress_folder.ts";
import { readStandardInput } from "./standard_input.ts";

/** Time between two ticks of the board, in milliseconds. */
const TICK_MS = 1_000;

const FLAGS = {
  "progress-dir": {
    placeholder: "DIR",
    help: "folder with a progress file per job, named JOB or JOB?encoder=…&width=…; needs --allow-read=DIR",
  },
  "stdin": { help: "read one job's reports or ffmpeg's log from standard input, as job stdin" },
  "ingest-from": {
    placeholder: "CIDR,…",
    help: "addresses whose reports are taken over HTTP",
    parse: parseIpRanges,
    default: LOOPBACK,
  },
  "job-ttl": {
    placeholder: "TIME",
    help: "how long a job is shown after its end",
    parse: parseDurationMs,
    default: "2m",
  },
  "max-jobs": {
    placeholder: "N",
    help: "most jobs at once, those included that have ended and are still shown",
    parse: parseMaxJobs,
    default: "2000",
  },
  "stall-after": {
    placeholder: "TIME",
    help: "how long a job may stand still before it counts as stalled",
    parse: parseDurationMs,
    default: "10s",
  },
} as const satisfies Flags;

/** The exporter as a program. */
export const PROGRAM = {
  name: "ffmpeg",
  summary: "running ffmpeg jobs, from what ffmpeg reports with -progress",
  flags: FLAGS,
  start(options, { log }): Exporter {
    const board = new JobBoard({
      maxJobs: options["max-jobs"],
      jobTtlMs: options["job-ttl"],
      stallAfterMs: options["stall-after"],
      log,
    });
    const intake = new Intake(board);
    const path = options["progress-dir"];
    const folder = path === undefined ? undefined : new ProgressFolder(intake, path);
    const ingest = new Ingest({
      intake,
      from: options["ingest-from"],
      log,
      beforeExit: () => folder?.look(),
    });
    const jobs = new JobCollector({
      intake,
      openConnections: () => ingest.openConnections,
      refresh: () => folder?.refresh(),
    });
    folder?.start();
    const timer = setInterval(() => board.tick(), TICK_MS);
    if (options.stdin) void readStandardInput(intake);
    return {
      collectors: folder ? [folder, jobs] : [jobs],
      page: FFMPEG_PAGE,
      keep: path === undefined ? [] : [{ name: "read", path }],
      handle: (request, info) => ingest.handle(request, info),
      // ffmpeg sends no password with its reports: they are let in by their address.
      openPaths: ["/progress"],
      listen: (address) => new HttpServer({ ...address, log }),
      stop(): void {
        clearInterval(timer);
        folder?.stop();
      },
    };
  },
} satisfies ExporterProgram<typeof FLAGS>;

function parseMaxJobs(text: string): number {
  const jobs = Number(text);
  if (!/^\d+$/.test(text) || jobs < 1 || jobs > 100_000) throw new RangeError("must be 1 to 100000");
  return jobs;
}

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
