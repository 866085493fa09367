/**
 * Publishes the metrics of all GPUs. A GPU that is lost or hangs loses its own series only.
 *
 * @module
 */
import { type Collection, type Collector, type Problem, SourceError } from "../../lib/collector.ts";
import { Snapshot } from "../../lib/exposition.ts";
import type { GpuLabels } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";
import type { NvmlVersions } from "./nvml.ts";
import type { GpuOutcome } from "./nvml_session.ts";
import { problemOf, problemsOf } from "./problems.ts";
import type { SessionKeeper } from "./session_keeper.ts";
import type { XidLog } from "./xid_watcher.ts";

/** Options of {@linkcode NvmlCollector}. */
export interface NvmlCollectorOptions {
  readonly keeper: SessionKeeper;
  readonly xids: XidLog;
  /** Scrapes that follow one another sooner than this share a reading. */
  readonly intervalMs: number;
  /** @default {() => performance.now()} */
  readonly monotonicMs?: () => number;
}

/** Publishes what a {@linkcode SessionKeeper} reads. */
export class NvmlCollector implements Collector {
  readonly source = "nvml";
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
   * Reads all GPUs, or returns the last reading while it is fresh. Scrapers share a reading, so none can cut it
   * short; only the keeper's deadline does.
   */
  async collect(): Promise<Collection> {
    const atMs = this.#nowMs();
    if (this.#last && atMs - this.#last.atMs < this.#options.intervalMs) return this.#last.collection;
    const collection = await this.#collect();
    this.#last = { collection, atMs };
    return collection;
  }

  async #collect(): Promise<Collection> {
    const snapshot = new Snapshot();
    try {
      const { gpus, count, versions } = await this.#options.keeper.read();
      const problems: Problem[] = [];
      for (const outcome of gpus) {
        addGpu(snapshot, outcome, versions);
        problems.push(...problemsOf(outcome));
      }
      if (typeof count !== "number") problems.push(problemOf("The NVIDIA driver", count.error));
      problems.push(...this.#addDevices(snapshot, gpus));
      const hasAnswered = gpus.some((outcome) => "reading" in outcome);
      return { up: hasAnswered || (gpus.length === 0 && typeof count === "number"), snapshot, problems };
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.#addDevices(snapshot, []);
      return { up: false, snapshot, problems: [{ reason: error.reason, message: error.message }] };
    }
  }

  /** Adds `gpu_up` of the GPUs present and of those seen before; returns a problem for each that is gone. */
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
      // Without a UUID, it is taken for the GPU last seen at that index.
      uuid: outcome.gpu?.identity.uuid ?? takeIndex(missing, outcome.index) ?? "",
      up: "reading" in outcome,
    }));
    rows.push(...missing.map(([uuid, gpu]) => ({ gpu, uuid, up: false })));
    rows.sort((left, right) => left.gpu - right.gpu || (left.uuid < right.uuid ? -1 : 1));
    for (const { gpu, uuid, up } of rows) {
      const labels = { gpu: String(gpu), uuid };
      snapshot.add(METRICS.up, up ? 1 : 0, labels);
      for (const { xid, count, lastMs } of this.#options.xids.of(uuid)) {
        snapshot.add(METRICS.xidErrors, count, { ...labels, xid: String(xid) });
        snapshot.add(METRICS.xidLast, lastMs / 1000, { ...labels, xid: String(xid) });
      }
    }
    this.#mostAtOnce = Math.max(this.#mostAtOnce, outcomes.length);
    snapshot.add(METRICS.devices, rows.filter(({ up }) => up).length);
    snapshot.add(METRICS.expectedDevices, Math.max(this.#seen.size, this.#mostAtOnce));
    return missing.map(([uuid, gpu]) => ({
      reason: "gone",
      message: `GPU ${gpu} (${uuid}) is gone: the driver no longer lists it; see "dmesg", or restart ` +
        `this exporter if it was removed on purpose`,
    }));
  }
}

/** Adds what a GPU is and the values of its reading, if there is one. */
function addGpu(snapshot: Snapshot, outcome: GpuOutcome, versions: NvmlVersions): void {
  if (!outcome.gpu || !("reading" in outcome)) return;
  const { uuid, name, pciBusId, minor } = outcome.gpu.identity;
  const { driver, nvml, cuda } = versions;
  const labels: GpuLabels = { gpu: String(outcome.index), uuid };
  snapshot.add(METRICS.info, 1, {
    ...labels,
    name: name ?? "",
    pci_bus_id: pciBusId ?? "",
    minor: String(minor ?? ""),
    driver_version: driver ?? "",
    nvml_version: nvml ?? "",
    cuda_version: cuda ?? "",
  });
  outcome.reading.samples.publish(snapshot, labels);
}

/** Takes the entry with this index out of the list. */
function takeIndex(list: [uuid: string, index: number][], index: number): string | undefined {
  const at = list.findIndex(([, known]) => known === index);
  return at < 0 ? undefined : list.splice(at, 1)[0]?.[0];
}
