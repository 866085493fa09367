/**
 * The FFmpeg exporter: what each running ffmpeg reports of its encode, on port 9506.
 *
 * Needs `--allow-net=0.0.0.0:9506`; with `--progress-dir DIR` and `--processes DIR` also `--allow-read` of these, which
 * it keeps.
 *
 * @module
 */
import { runExporter } from "../../lib/exporter.ts";
import type { Exporter, ExporterProgram } from "../../lib/program.ts";
import { PROJECT } from "../catalog.ts";
import { JobCollector } from "./collector.ts";
import { Ingest } from "./ingest.ts";
import { Intake } from "./intake.ts";
import { JobBoard } from "./job_board.ts";
import { MANIFEST } from "./manifest.ts";
import { FFMPEG_PAGE } from "./page.ts";
import { ProcessWatch } from "./process_watch.ts";
import { ProgressFolder } from "./progress_folder.ts";
import { readStandardInput } from "./standard_input.ts";

/** Time between two ticks of the board, in milliseconds. */
const TICK_MS = 1_000;

/** The exporter as a program. */
export const PROGRAM = {
  manifest: MANIFEST,
  project: PROJECT,
  start(options, { log }): Exporter {
    const board = new JobBoard({
      maxJobs: options["max-jobs"],
      jobTtlMs: options["job-ttl"],
      stallAfterMs: options["stall-after"],
      log,
    });
    const intake = new Intake(board);
    const path = options["progress-dir"];
    const folder = path === undefined
      ? undefined
      : new ProgressFolder(intake, path, options["progress-match"]);
    const tree = options.processes;
    const processes = tree === undefined ? undefined : new ProcessWatch({
      board,
      path: tree,
      names: options["process-name"].length > 0 ? options["process-name"] : ["ffmpeg"],
    });
    const ingest = new Ingest({
      intake,
      from: options["ingest-from"],
      log,
      beforeExit: (id) => folder?.lookFor(id),
    });
    const jobs = new JobCollector({
      intake,
      openConnections: () => ingest.openConnections,
      refresh: () => folder?.refresh(),
    });
    folder?.start();
    processes?.start();
    const timer = setInterval(() => board.tick(), TICK_MS);
    if (options.stdin) void readStandardInput(intake, log);
    return {
      collectors: [folder, processes, jobs].filter((collector) => collector !== undefined),
      page: FFMPEG_PAGE,
      keep: [path, tree].filter((folder) => folder !== undefined).map((path) => ({ name: "read", path })),
      handle: (request) => ingest.handle(request),
      // ffmpeg sends no password with its reports: they are let in by their address.
      openPaths: ["/progress"],
      stop(): void {
        clearInterval(timer);
        folder?.stop();
        processes?.stop();
      },
    };
  },
} satisfies ExporterProgram<typeof MANIFEST.flags>;

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
