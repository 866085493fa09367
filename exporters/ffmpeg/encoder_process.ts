/**
 * One ffmpeg process, as the kernel shows it.
 *
 * @module
 */
import { type Command, readCommand, splitCmdline } from "./command.ts";
import type { JobProcess } from "./job.ts";
import { parseFileName } from "./job_description.ts";
import { type EncoderClass, encoderClass } from "./encoder_class.ts";
import { parseContainer, parseInnerPid, type ProcessStat, TICKS_PER_SECOND } from "./process_files.ts";

/** What a process does: paused is stopped by a signal, zombie has ended and its parent has not noticed. */
export type ProcessState = "running" | "paused" | "zombie";
/** All of {@linkcode ProcessState}. */
export const PROCESS_STATES: readonly ProcessState[] = ["paused", "running", "zombie"];

/** Least time without any CPU time after which a process counts as idle, in milliseconds. */
const IDLE_AFTER_MS = 3_000;
const INIT_PID = 1;

/** The files of a process that do not change. */
export interface ProcessFiles {
  readonly cmdline: string;
  readonly status: string;
  readonly cgroup: string;
}

type InfoLabels = Readonly<Record<"pid" | "job_id" | "container" | "encoder", string>>;

/** An ffmpeg process. */
export class EncoderProcess implements JobProcess {
  readonly pid: number;
  readonly startTicks: number;
  /** Its pid within its own namespace, which it reports itself when it runs in a container. */
  readonly innerPid: number;
  /** 12 digits; empty outside of containers. */
  readonly container: string;
  readonly command: Command;
  /** The id of the job whose progress file is among its arguments. */
  readonly fileJobId: string | undefined;
  readonly encoderClass: EncoderClass | undefined;
  /** The labels of its samples, made once: the page writes out each object once. */
  readonly labels: { readonly pid: string };
  #infoLabels: InfoLabels;
  readonly #firstParentPid: number;
  #stat: ProcessStat;
  /** When its CPU time last rose, on the caller's clock. */
  #workedMs: number;
  /** When it was found to have ended, on the caller's clock; a zombie has. */
  goneMs: number | undefined;

  /** A process that was just found. */
  constructor(pid: number, stat: ProcessStat, files: ProcessFiles, nowMs: number) {
    this.pid = pid;
    this.startTicks = stat.startTicks;
    this.innerPid = parseInnerPid(files.status) ?? pid;
    this.container = parseContainer(files.cgroup);
    this.command = readCommand(splitCmdline(files.cmdline));
    const { progressFile } = this.command;
    this.fileJobId = progressFile === undefined ? undefined : parseFileName(progressFile).id;
    this.encoderClass = encoderClass(this.command.encoder);
    this.labels = { pid: String(pid) };
    this.#infoLabels = this.#describe("");
    this.#firstParentPid = stat.parentPid;
    this.#stat = stat;
    this.#workedMs = nowMs;
    this.#noticeEnd(nowMs);
  }

  /** The labels of its info, with the job that it has now; empty: none. */
  infoLabels(jobId: string): InfoLabels {
    if (this.#infoLabels.job_id !== jobId) this.#infoLabels = this.#describe(jobId);
    return this.#infoLabels;
  }

  #describe(jobId: string): InfoLabels {
    return { ...this.labels, job_id: jobId, container: this.container, encoder: this.encoderClass ?? "" };
  }

  /** Takes what the kernel shows now. */
  update(stat: ProcessStat, nowMs: number): void {
    if (stat.cpuTicks !== this.#stat.cpuTicks) this.#workedMs = nowMs;
    this.#stat = stat;
    this.#noticeEnd(nowMs);
  }

  #noticeEnd(nowMs: number): void {
    if (this.state === "zombie") this.goneMs ??= nowMs;
  }

  /** What it does. */
  get state(): ProcessState {
    const { state } = this.#stat;
    // t: stopped by a debugger; X: dead.
    return "Tt".includes(state) ? "paused" : "ZX".includes(state) ? "zombie" : "running";
  }

  /** Whether it is stopped by a signal. */
  get isStopped(): boolean {
    return this.state === "paused";
  }

  /** CPU time of all its threads, in ticks. */
  get cpuTicks(): number {
    return this.#stat.cpuTicks;
  }

  /** The same, in seconds. */
  get cpuSeconds(): number {
    return this.#stat.cpuTicks / TICKS_PER_SECOND;
  }

  /** Memory that it holds, in pages. */
  get residentPages(): number {
    return this.#stat.residentPages;
  }

  /** Whether it runs and uses no CPU time: it waits for its input, or for who reads its output. */
  isIdle(nowMs: number): boolean {
    return this.state === "running" && nowMs - this.#workedMs > IDLE_AFTER_MS;
  }

  /**
   * Whether the program that started it has gone: it was given to another parent, or had been when it was first seen.
   * What init itself starts, a service, leads a session of its own.
   */
  get isOrphaned(): boolean {
    const { parentPid, sessionId } = this.#stat;
    if (parentPid !== this.#firstParentPid) return true;
    return parentPid === INIT_PID && sessionId !== this.pid;
  }
}
