/**
 * Faults of jobs, of their progress files and of those who report over HTTP.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { FfmpegRig, JOB, progressBlock } from "../support/rigs/ffmpeg.ts";
import { eventually } from "../support/exporter_process.ts";
import { ProcessTree, type TreeProcess } from "../../simulation/process_tree.ts";
import { type Page, readPage, type RigOptions, valueIn } from "../support/rigs/rig.ts";
import { anyFaults } from "./any.ts";
import { type FaultSet, WITHOUT_OVERRIDE } from "./fault.ts";

const MAX_JOBS = 20;
const FLOOD_FILES = 300;
const SPARSE_FILES = 200;
const LONG_LINE_BYTES = 20_000_000;

/** What swaps a file with a pipe. */
let swapping: Deno.ChildProcess | undefined;

async function shell(command: string): Promise<void> {
  await new Deno.Command("sh", { args: ["-c", command] }).output();
}

function assertJobState(page: Page, job_id: string, state: string): void {
  assertEquals(valueIn(page, { name: "ffmpeg_job_state", labels: { job_id, state } }), 1);
}

function assertParseErrors(page: Page): void {
  assert((valueIn(page, { name: "ffmpeg_ingest_parse_errors_total" }) ?? 0) > 0);
}

/** The processes that the exporter sees in the fault under test. */
let tree: ProcessTree | undefined;

function processes(): ProcessTree {
  assert(tree);
  return tree;
}

/** Starts the exporter with a tree of processes. */
function withProcesses(resources: DisposableStack): RigOptions {
  tree = resources.use(new ProcessTree());
  return { args: [`--processes=${tree.path}`] };
}

/** Sets the ffmpeg that writes a job's progress file. */
function setProcess(pid: number, job: string, process: TreeProcess = {}): void {
  const args = ["ffmpeg", "-progress", `/run/ffmpeg-progress/${job}`, "-i", "a", "b"];
  processes().set(pid, { args, ...process });
}

/** The faults of the FFmpeg exporter. */
export const FFMPEG_FAULTS: FaultSet<FfmpegRig> = {
  exporter: "ffmpeg",
  create: FfmpegRig.create,
  impossible: {},
  faults: [
    {
      kind: "permission",
      what: "the progress folder is closed to the exporter",
      values: "withheld",
      reason: "permission",
      health: "chmod 755",
      ...WITHOUT_OVERRIDE,
      inject: (rig) => Deno.chmod(rig.folder, 0),
      heal: (rig) => Deno.chmod(rig.folder, 0o755),
    },
    {
      kind: "permission",
      what: "a job's file is closed to the exporter",
      values: "withheld",
      up: 1,
      reason: "permission",
      health: "umask 022",
      ...WITHOUT_OVERRIDE,
      inject: async (rig) => {
        await Deno.chmod(`${rig.folder}/${JOB}`, 0);
        rig.step();
      },
      heal: (rig) => Deno.chmod(`${rig.folder}/${JOB}`, 0o644),
    },
    {
      kind: "missing",
      what: "there is no progress folder at the start",
      values: "withheld",
      reason: "missing",
      health: "it does not exist",
      fromStart: true,
      inject: () => {},
      heal: (rig) => rig.show(),
    },
    {
      kind: "missing",
      what: "the progress folder is taken away",
      values: "withheld",
      reason: "missing",
      health: "it does not exist",
      inject: (rig) => rig.hide(),
      heal: (rig) => rig.show(),
    },
    {
      kind: "vanishing",
      what: "the file of a running job is deleted",
      values: "goes on",
      metrics: "that job is lost, the others go on",
      inject: async (rig) => {
        rig.write("doomed", progressBlock(5));
        await eventually(async () => assertJobState(await readPage(rig), "doomed", "running"));
        await Deno.remove(`${rig.folder}/doomed`);
      },
      check: (page) => assertJobState(page, "doomed", "lost"),
      heal: () => {},
    },
    {
      kind: "hanging",
      what: "a job stands still",
      values: "goes on",
      metrics: "its state is stalled until it goes on",
      start: { args: ["--stall-after=300ms"] },
      inject: (rig) => rig.write("hung", progressBlock(5)),
      check: (page) => assertJobState(page, "hung", "stalled"),
      heal: () => {},
    },
    {
      kind: "lying",
      what: "a job's file holds text that is no report, and values that are no numbers",
      values: "goes on",
      metrics: "`ffmpeg_ingest_parse_errors_total` counts them",
      inject: (rig) =>
        rig.append("frame=many\nout_time_us=N/A\n\0\xff=\n<html>\nspeed=-infx\nprogress=perhaps\n"),
      check: assertParseErrors,
      heal: () => {},
    },
    {
      kind: "lying",
      what: "the name of a job's file is not UTF-8",
      values: "goes on",
      reason: "invalid",
      health: "not UTF-8",
      inject: (rig) => shell(`touch "$(printf '${rig.folder}/caf\\351')"`),
      heal: (rig) => shell(`rm "$(printf '${rig.folder}/caf\\351')"`),
    },
    {
      kind: "hanging",
      what: "a job's file and a pipe take each other's place all the time",
      values: "goes on",
      metrics: "no pipe is waited for",
      inject: (rig) => {
        const swap = 'while cd "$0" 2>/dev/null; do rm -f swap; mkfifo swap; rm -f swap; echo >swap; done';
        swapping = new Deno.Command("sh", { args: ["-c", swap, rig.folder], stderr: "null" }).spawn();
      },
      heal: async (rig) => {
        swapping?.kill("SIGKILL");
        await swapping?.status;
        await Deno.remove(`${rig.folder}/swap`).catch(() => {});
      },
    },
    {
      kind: "restarting",
      what: "another run writes the same file",
      values: "goes on",
      metrics: "a new run of the job; the worker's totals go on",
      inject: (rig) => rig.restart(),
      check: (page) => {
        assertEquals(valueIn(page, { name: "ffmpeg_job_frames_total", labels: { job_id: JOB } }), 2);
        assertEquals(valueIn(page, { name: "ffmpeg_frames_total" }), 22);
      },
      heal: () => {},
    },
    {
      kind: "flooding",
      what: `${FLOOD_FILES} files where ${MAX_JOBS} jobs are allowed`,
      values: "goes on",
      reason: "too_many",
      health: "too many",
      metrics: `${MAX_JOBS} jobs at most`,
      start: { args: [`--max-jobs=${MAX_JOBS}`] },
      inject: (rig) => {
        for (let index = 0; index < FLOOD_FILES; index++) rig.write(`flood-${index}`, progressBlock(1));
      },
      check: (page) => {
        const jobs = page.families.get("ffmpeg_job_info")?.samples.length ?? 0;
        assertEquals(jobs, MAX_JOBS);
      },
      heal: async (rig) => {
        for (let index = 0; index < FLOOD_FILES; index++) await Deno.remove(`${rig.folder}/flood-${index}`);
      },
    },
    {
      kind: "flooding",
      what: `${SPARSE_FILES} files of a terabyte each`,
      values: "goes on",
      metrics: "they are read from their ends",
      inject: (rig) => {
        for (let index = 0; index < SPARSE_FILES; index++) {
          rig.write(`sparse-${index}`, "");
          Deno.truncateSync(`${rig.folder}/sparse-${index}`, 1e12);
        }
      },
      heal: async (rig) => {
        for (let index = 0; index < SPARSE_FILES; index++) await Deno.remove(`${rig.folder}/sparse-${index}`);
      },
    },
    {
      kind: "flooding",
      what: `a job posts a line of ${LONG_LINE_BYTES / 1e6} MB`,
      values: "goes on",
      metrics: "`ffmpeg_ingest_parse_errors_total` counts it",
      inject: (rig) => rig.post("flood", "x".repeat(LONG_LINE_BYTES)),
      check: assertParseErrors,
      heal: () => {},
    },
    {
      kind: "disconnecting",
      what: "the connection of a job that posts breaks off in the middle of a report",
      values: "goes on",
      metrics: "that job is lost",
      inject: (rig) => rig.post("cut", `${progressBlock(25)}frame=50\nfps=2`),
      check: (page) => {
        assertJobState(page, "cut", "lost");
        assertEquals(valueIn(page, { name: "ffmpeg_job_frames_total", labels: { job_id: "cut" } }), 25);
      },
      heal: () => {},
    },
    {
      kind: "missing",
      what: "the bind mount of /proc is taken away",
      source: "processes",
      values: "goes on",
      up: 0,
      reason: "missing",
      health: "mount --bind /proc",
      metrics: "jobs go on, judged by their reports alone; nothing is shown of processes",
      start: withProcesses,
      inject: () => processes().hide(),
      check: (page) => assertEquals(page.families.has("ffmpeg_processes"), false),
      heal: () => processes().show(),
    },
    {
      kind: "hanging",
      what: "a job's process is stopped by a signal",
      values: "goes on",
      metrics: "its state is paused, not stalled, until it goes on",
      start: withProcesses,
      inject: (rig) => {
        rig.write("stopped", progressBlock(5));
        setProcess(10, "stopped", { state: "T" });
      },
      check: (page) => assertJobState(page, "stopped", "paused"),
      heal: () => setProcess(10, "stopped"),
    },
    {
      kind: "vanishing",
      what: "a job's process is killed, or its container removed",
      values: "goes on",
      metrics: "that job is lost within seconds, the others go on, CPU time that was counted stays",
      start: withProcesses,
      inject: async (rig) => {
        rig.write("killed", progressBlock(5));
        setProcess(10, "killed", { cpuSeconds: 5, startSeconds: 2000 });
        const ofJob = { name: "ffmpeg_job_cpu_seconds_total", labels: { job_id: "killed" } };
        await eventually(async () => assertEquals(valueIn(await readPage(rig), ofJob), 5));
        processes().remove(10);
      },
      check: (page) => {
        assertJobState(page, "killed", "lost");
        assertEquals(valueIn(page, { name: "ffmpeg_cpu_seconds_total" }), 5);
      },
      heal: () => {},
    },
    {
      kind: "vanishing",
      what: "a process ends between two reads of its files",
      values: "goes on",
      metrics: "it is left out",
      start: withProcesses,
      inject: () => {
        setProcess(10, "ending");
        processes().removeFile(10, "cgroup");
      },
      check: (page) => assertEquals(page.families.get("ffmpeg_process_info")?.samples ?? [], []),
      heal: () => processes().remove(10),
    },
    {
      kind: "restarting",
      what: "a process ends, and its pid is given to another program",
      values: "goes on",
      metrics: "its job is lost, the other program is not shown",
      start: withProcesses,
      inject: async (rig) => {
        rig.write("reused", progressBlock(5));
        setProcess(10, "reused");
        const ofJob = { name: "ffmpeg_job_cpu_seconds_total", labels: { job_id: "reused" } };
        await eventually(async () => assertEquals(valueIn(await readPage(rig), ofJob), 0));
        processes().set(10, { name: "postgres", startSeconds: 2000 });
      },
      check: (page) => {
        assertJobState(page, "reused", "lost");
        assertEquals(page.families.get("ffmpeg_process_info")?.samples ?? [], []);
      },
      heal: () => {},
    },
    ...anyFaults({
      noDescriptors: { values: "withheld", reason: "invalid", health: "Too many open files" },
    }),
  ],
};
