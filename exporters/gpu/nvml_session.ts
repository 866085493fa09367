/**
 * One session with the driver: from nvmlInit to nvmlShutdown, with a lane for each GPU.
 *
 * @module
 */
import { CallLane, type LaneRunOptions } from "./call_lane.ts";
import { Gpu, type GpuReading, type ReadOptions } from "./gpu_reading.ts";
import { Nvml, type NvmlVersions } from "./nvml.ts";
import type { NvmlSymbols } from "./nvml_symbols.ts";
import { type XidLog, XidWatcher } from "./xid_watcher.ts";

/** More GPUs than any machine has: a larger count is garbage. */
const MAX_GPUS = 256;
/** Longest wait for NVML to start or end, and for a GPU to be attached: seconds where nothing else holds the driver. */
export const OPEN_DEADLINE_MS = 10_000;

/** What came of reading one GPU: a reading, or why there is none. */
export type GpuOutcome =
  & { readonly index: number; readonly gpu: Gpu | undefined }
  & ({ readonly reading: GpuReading } | { readonly error: unknown });

/** A GPU by its index, attached or not yet. */
class Slot {
  readonly index: number;
  readonly lane = new CallLane();
  readonly #symbols: NvmlSymbols;
  readonly #watcher: XidWatcher;
  gpu: Gpu | undefined;

  constructor(symbols: NvmlSymbols, index: number, watcher: XidWatcher) {
    this.#symbols = symbols;
    this.index = index;
    this.#watcher = watcher;
  }

  async read(options: ReadOptions, run: LaneRunOptions): Promise<GpuOutcome> {
    try {
      const reading = await this.lane.run(async () => await (await this.#attached()).read(options), run);
      return { index: this.index, gpu: this.gpu, reading };
    } catch (error) {
      return { index: this.index, gpu: this.gpu, error };
    }
  }

  async attach(deadlineMs: number): Promise<void> {
    try {
      await this.lane.run(() => this.#attached(), { deadlineMs });
    } catch {
      // The next reading meets the same and says so.
    }
  }

  async #attached(): Promise<Gpu> {
    if (this.gpu) return this.gpu;
    const device = await Nvml.attach(this.#symbols, this.lane, this.index);
    const gpu = await Gpu.identify(device);
    await this.#watcher.register(device);
    return this.gpu = gpu;
  }
}

/** Options of {@linkcode NvmlSession.open}. */
export interface SessionOptions {
  readonly symbols: NvmlSymbols;
  /** The calls that concern no single GPU; the same for all sessions. */
  readonly nvml: Nvml;
  /** The lane of these calls. */
  readonly lane: CallLane;
  readonly xids: XidLog;
  /** @default {OPEN_DEADLINE_MS} */
  readonly deadlineMs?: number | undefined;
}

/** An open session. */
export class NvmlSession {
  readonly versions: NvmlVersions;
  readonly #nvml: Nvml;
  readonly #lane: CallLane;
  readonly #slots: readonly Slot[];
  readonly #watcher: XidWatcher;

  private constructor(
    nvml: Nvml,
    lane: CallLane,
    parts: { versions: NvmlVersions; slots: readonly Slot[]; watcher: XidWatcher },
  ) {
    this.#nvml = nvml;
    this.#lane = lane;
    this.versions = parts.versions;
    this.#slots = parts.slots;
    this.#watcher = parts.watcher;
  }

  /** Starts NVML and attaches every GPU that can be. @throws {NvmlError | CallTimeout} when there is no driver */
  static async open(options: SessionOptions): Promise<NvmlSession> {
    const { symbols, nvml, lane, xids, deadlineMs = OPEN_DEADLINE_MS } = options;
    const slots: Slot[] = [];
    const { versions, count, watcher } = await lane.run(async () => {
      await nvml.init();
      try {
        const versions = await nvml.versions();
        const count = await nvml.deviceCount();
        const watcher = await XidWatcher.create(symbols, ({ handle, xid }) => {
          const gpu = slots.find(({ gpu }) => gpu?.handle === handle)?.gpu;
          if (gpu) xids.add(gpu.identity.uuid, xid);
        });
        return { versions, count, watcher };
      } catch (error) {
        await nvml.shutdown();
        throw error;
      }
    }, { deadlineMs });
    for (let index = 0; index < Math.min(count, MAX_GPUS); index++) {
      slots.push(new Slot(symbols, index, watcher));
    }
    await Promise.all(slots.map((slot) => slot.attach(deadlineMs)));
    watcher.start();
    return new NvmlSession(nvml, lane, { versions, slots, watcher });
  }

  /** How many GPUs there were when the session began. */
  get size(): number {
    return this.#slots.length;
  }

  /** Whether a call is inside the library: a collection is under way, or a call hangs. */
  get occupied(): boolean {
    return this.#lane.occupied || this.#slots.some(({ lane }) => lane.occupied);
  }

  /** How many GPUs the driver has now. @throws {NvmlError | CallTimeout} */
  async count(run: LaneRunOptions): Promise<number> {
    return Math.min(await this.#lane.run(() => this.#nvml.deviceCount(), run), MAX_GPUS);
  }

  /** Reads every GPU, all at once, each in its own lane. */
  async read(options: ReadOptions, run: LaneRunOptions): Promise<GpuOutcome[]> {
    return await Promise.all(this.#slots.map((slot) => slot.read(options, run)));
  }

  /** Ends the wait for Xids, which {@linkcode close} needs; takes about a second. */
  async stopWatching(): Promise<void> {
    await this.#watcher.stop();
  }

  /**
   * Ends the session. Returns false and leaves it open while a call is inside the library: ending it then is
   * undefined.
   *
   * @throws {CallTimeout} when ending hangs
   */
  async close(): Promise<boolean> {
    if (this.occupied) return false;
    await this.#lane.run(() => this.#nvml.shutdown(), { deadlineMs: OPEN_DEADLINE_MS });
    return true;
  }
}
