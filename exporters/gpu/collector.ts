/**
 * Collects the metrics of all GPUs. A GPU that is lost or hangs costs its own series, not those of the others.
 *
 * @module
 */
import { type Collection, type Collector, type Problem, SourceError } from "../../lib/collector.ts";
import { type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { CallTimeout } from "./call_lane.ts";
import type { ReadOptions } from "./gpu_reading.ts";
import { GpuSamples } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";
import { adviceFor, CODE, describeCode, isFatal, mayRecover, NvmlError } from "./nvml_codes.ts";
import type { NvmlDriver } from "./nvml_driver.ts";
import type { GpuOutcome, NvmlSession } from "./nvml_session.ts";
import type { XidLog } from "./xid_watcher.ts";

/** Longest wait for one GPU: what takes longer hangs. */
export const DEADLINE_MS = 2_000;

/** Options of {@linkcode NvmlCollector}. */
export interface NvmlCollectorOptions extends ReadOptions {
  readonly driver: NvmlDriver;
  readonly xids: XidLog;
  /** Scrapes that follow one another sooner than this share a reading. */
  readonly intervalMs: number;
  /** @default {DEADLINE_MS} */
  readonly deadlineMs?: number;
}

/** Reads all GPUs through NVML. */
export class NvmlCollector implements Collector {
  readonly source = "nvml";
  readonly metrics: readonly MetricDefinition[] = Object.values(METRICS);
  readonly #options: NvmlCollectorOptions;
  readonly #nowMs: () => number;
  /** Index of every GPU seen, by UUID. */
  readonly #seen = new Map<string, number>();
  #mostAtOnce = 0;
  #last: { readonly collection: Collection; readonly atMs: number } | undefined;

  constructor(options: NvmlCollectorOptions) {
    this.#options = options;
    this.#nowMs = options.monotonicMs ?? (() => performance.now());
  }

  /**
   * Reads all GPUs, or returns the last reading while it is fresh. A scraper that gives up early changes nothing:
   * other scrapers share this reading, and only a call that exceeds the deadline here hangs.
   */
  async collect(): Promise<Collection> {
    const atMs = this.#nowMs();
    if (this.#last && atMs - this.#last.atMs < this.#options.intervalMs) return this.#last.collection;
    const collection = await this.#collect();
    this.#last = { collection, atMs };
    return collection;
  }

  async #collect(): Promise<Collection> {
    try {
      return await this.#options.driver.withSession((session) => this.#read(session));
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const snapshot = new Snapshot();
      this.#addDevices(snapshot, []);
      return { up: false, snapshot, problems: [{ reason: error.reason, message: error.message }] };
    }
  }

  async #read(session: NvmlSession): Promise<Collection> {
    const run = { deadlineMs: this.#options.deadlineMs ?? DEADLINE_MS };
    const [outcomes, count] = await Promise.all([
      session.read(this.#options, run),
      session.count(run).catch((error: unknown) => ({ error })),
    ]);
    const snapshot = new Snapshot();
    const problems: Problem[] = [];
    for (const outcome of outcomes) {
      problems.push(...problemsOf(outcome));
      if ("reading" in outcome) problems.push(...this.#addGpu(snapshot, outcome, session));
    }
    if (typeof count !== "number") problems.push(problemOf("The NVIDIA driver", count.error));
    problems.push(...this.#addDevices(snapshot, outcomes));
    const stale = outcomes.find((outcome) => "error" in outcome && isStale(outcome.error));
    if (typeof count === "number" && count !== session.size) {
      this.#options.driver.renew(`the driver has ${count} GPUs, before it had ${session.size}`);
    } else if (stale) {
      this.#options.driver.renew(`GPU ${stale.index} is not readable`);
    } else if (problems.length === 0) this.#options.driver.markHealthy();
    const answered = outcomes.some((outcome) => "reading" in outcome);
    return { up: answered || (outcomes.length === 0 && typeof count === "number"), snapshot, problems };
  }

  /** Adds a GPU's values; returns what is wrong with them. */
  #addGpu(snapshot: Snapshot, outcome: GpuOutcome, { versions }: NvmlSession): Problem[] {
    if (!outcome.gpu || !("reading" in outcome)) return [];
    const { identity } = outcome.gpu;
    const samples = new GpuSamples(snapshot, { gpu: String(outcome.index), uuid: identity.uuid });
    samples.addIdentity(identity, versions);
    samples.addReading(outcome.reading);
    if (samples.leftOut.length === 0) return [];
    // Which metrics, not which values: garbage may be another in each scrape.
    const metrics = samples.leftOut.join(", ");
    return [{
      reason: "invalid",
      message:
        `GPU ${outcome.index} tells values that cannot be, so they are left out: ${metrics}; compare ` +
        `"nvidia-smi -q"; if it lasts, see "dmesg", and update the driver or reset the GPU`,
    }];
  }

  /** Adds which GPUs answer, with those that were seen before; returns what is wrong with the latter. */
  #addDevices(snapshot: Snapshot, outcomes: readonly GpuOutcome[]): Problem[] {
    const present = new Set<string>();
    for (const { index, gpu } of outcomes) {
      if (!gpu) continue;
      this.#seen.set(gpu.identity.uuid, index);
      present.add(gpu.identity.uuid);
    }
    const missing = [...this.#seen].filter(([uuid]) => !present.has(uuid));
    const rows = outcomes.map((outcome) => ({
      gpu: outcome.index,
      // One that does not tell its UUID any more is the one seen there before.
      uuid: outcome.gpu?.identity.uuid ?? takeIndex(missing, outcome.index) ?? "",
      up: "reading" in outcome,
    }));
    rows.push(...missing.map(([uuid, gpu]) => ({ gpu, uuid, up: false })));
    rows.sort((left, right) => left.gpu - right.gpu || (left.uuid < right.uuid ? -1 : 1));
    for (const { gpu, uuid, up } of rows) {
      const labels = { gpu: String(gpu), uuid };
      snapshot.add(METRICS.up, up ? 1 : 0, labels);
      new GpuSamples(snapshot, labels).addXids(this.#options.xids.of(uuid));
    }
    this.#mostAtOnce = Math.max(this.#mostAtOnce, outcomes.length);
    snapshot.add(METRICS.devices, rows.filter(({ up }) => up).length);
    snapshot.add(METRICS.expectedDevices, Math.max(this.#seen.size, this.#mostAtOnce));
    return missing.map(([uuid, gpu]) => ({
      reason: "gone",
      message:
        `GPU ${gpu} (${uuid}) is gone: the driver does not list it any more; see "dmesg", or restart ` +
        `this exporter if it was removed on purpose`,
    }));
  }
}

/** Whether a new session may bring a GPU back; none can be had while a call hangs. */
function isStale(error: unknown): boolean {
  return error instanceof NvmlError && mayRecover(error.code);
}

/** Takes the entry with this index out of the list. */
function takeIndex(list: [uuid: string, index: number][], index: number): string | undefined {
  const at = list.findIndex(([, known]) => known === index);
  return at < 0 ? undefined : list.splice(at, 1)[0]?.[0];
}

function problemsOf(outcome: GpuOutcome): Problem[] {
  const name = `GPU ${outcome.index}`;
  if ("error" in outcome) return [problemOf(name, outcome.error)];
  const problems: Problem[] = [];
  const failures = [...outcome.reading.failures];
  const refused = failures.filter(([, code]) => code === CODE.noPermission);
  if (refused.length > 0) {
    const { reason, advice } = adviceFor(CODE.noPermission);
    const what = `${name} refuses values that every user may read: ${describeAll(refused)}`;
    problems.push({ reason, message: `${what}; ${advice}` });
  }
  const failed = failures.filter(([, code]) => code !== CODE.noPermission);
  if (failed.length > 0) {
    const message = `${name} does not tell all its values: ${describeAll(failed)}`;
    problems.push({ reason: "call_failed", message });
  }
  return problems;
}

function describeAll(failures: readonly [symbol: string, code: number][]): string {
  return failures.map(([symbol, code]) => `${symbol} answers ${describeCode(code)}`).join(", ");
}

function problemOf(subject: string, error: unknown): Problem {
  if (error instanceof CallTimeout) {
    return {
      reason: "timeout",
      // Not how long: the same problem must read the same from one scrape to the next.
      message:
        `${subject} hangs: ${error.symbol} does not return; see "dmesg", and reboot if it does not recover`,
    };
  }
  if (error instanceof NvmlError) {
    const { reason, advice } = adviceFor(error.code);
    const state = isFatal(error.code) ? "cannot be read" : "fails";
    return { reason, message: `${subject} ${state}: ${error.message}; ${advice}` };
  }
  throw error;
}
