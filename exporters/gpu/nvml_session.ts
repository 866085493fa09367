/**
 * One session with the driver: from nvmlInit to nvmlShutdown, with a lane for each GPU.
 *
 * @module
 */
import { CallLane } from "./call_lane.ts";
import { Gpu, type GpuReading, type ReadOptions } from "./gpu.ts";
import type { Nvml, NvmlVersions } from "./nvml.ts";
import { NvmlCalls } from "./nvml_calls.ts";
import { NvmlDevice } from "./nvml_device.ts";
import { type XidLog, XidWatcher } from "./xid_watcher.ts";

/** A GPU's reading, or why there is none. */
export type GpuOutcome =
  & { readonly index: number; readonly gpu: Gpu | undefined }
  & ({ readonly reading: GpuReading } | { readonly error: unknown });

/** The readings of all GPUs. */
export interface SessionReading {
  readonly versions: NvmlVersions;
  readonly gpus: readonly GpuOutcome[];
  /** How many GPUs the driver has now, or why that is unknown. */
  readonly count: number | { readonly error: unknown };
}

/** An index in the driver's list. Its GPU is attached at the first reading that succeeds. */
class GpuSlot {
  readonly index: number;
  readonly #watcher: XidWatcher;
  readonly #calls: NvmlCalls;
  gpu: Gpu | undefined;

  constructor(calls: NvmlCalls, index: number, watcher: XidWatcher) {
    this.#calls = calls;
    this.index = index;
    this.#watcher = watcher;
  }

  get lane(): CallLane {
    return this.#calls.lane;
  }

  async read(options: ReadOptions, deadlineMs: number): Promise<GpuOutcome> {
    try {
      const reading = await this.lane.run(async () => await (await this.attach()).read(options), deadlineMs);
      return { index: this.index, gpu: this.gpu, reading };
    } catch (error) {
      return { index: this.index, gpu: this.gpu, error };
    }
  }

  async attach(): Promise<Gpu> {
    if (this.gpu) return this.gpu;
    const device = await NvmlDevice.attach(this.#calls, this.index);
    const gpu = await Gpu.identify(device);
    await this.#watcher.register(device);
    return this.gpu = gpu;
  }
}

/** An open session. */
export class NvmlSession {
  readonly #versions: NvmlVersions;
  readonly #nvml: Nvml;
  readonly #slots: readonly GpuSlot[];
  readonly #watcher: XidWatcher;

  private constructor(
    nvml: Nvml,
    parts: { versions: NvmlVersions; slots: readonly GpuSlot[]; watcher: XidWatcher },
  ) {
    this.#nvml = nvml;
    this.#versions = parts.versions;
    this.#slots = parts.slots;
    this.#watcher = parts.watcher;
  }

  /**
   * Starts NVML and attaches every GPU that can be, waiting `deadlineMs` at most for each.
   *
   * @throws {NvmlError | CallTimeout} when there is no driver
   */
  static async open(nvml: Nvml, xids: XidLog, deadlineMs: number): Promise<NvmlSession> {
    const { symbols, lane } = nvml;
    const slots: GpuSlot[] = [];
    const { versions, count, watcher } = await lane.run(async () => {
      await nvml.init();
      try {
        const versions = await nvml.versions();
        const count = await nvml.deviceCount();
        const watcher = await XidWatcher.create(symbols, (handle, xid) => {
          const gpu = slots.find(({ gpu }) => gpu?.handle === handle)?.gpu;
          if (gpu) xids.add(gpu.identity.uuid, xid);
        });
        return { versions, count, watcher };
      } catch (error) {
        await nvml.shutdown();
        throw error;
      }
    }, deadlineMs);
    for (let index = 0; index < count; index++) {
      slots.push(new GpuSlot(new NvmlCalls(symbols, new CallLane()), index, watcher));
    }
    // The next reading retries those that failed, and reports why.
    await Promise.allSettled(slots.map((slot) => slot.lane.run(() => slot.attach(), deadlineMs)));
    watcher.start();
    return new NvmlSession(nvml, { versions, slots, watcher });
  }

  /** How many GPUs there were when the session began. */
  get size(): number {
    return this.#slots.length;
  }

  /** Whether a call is inside the library: a reading is under way, or a call hangs. */
  get occupied(): boolean {
    return this.#nvml.lane.occupied || this.#slots.some(({ lane }) => lane.occupied);
  }

  /** Reads every GPU, all at once, each in its own lane, waiting `deadlineMs` at most. */
  async read(options: ReadOptions, deadlineMs: number): Promise<SessionReading> {
    const [count, ...gpus] = await Promise.all([
      this.#nvml.lane.run(() => this.#nvml.deviceCount(), deadlineMs)
        .catch((error: unknown) => ({ error })),
      ...this.#slots.map((slot) => slot.read(options, deadlineMs)),
    ]);
    return { versions: this.#versions, gpus, count };
  }

  /** Ends the wait for Xids, which {@linkcode close} needs; takes about a second. */
  async stopWatching(): Promise<void> {
    await this.#watcher.stop();
  }

  /**
   * Ends the session. Returns false and leaves it open while a call is inside the library: ending it then is
   * undefined.
   *
   * @throws {CallTimeout} when ending takes longer than `deadlineMs`
   */
  async close(deadlineMs: number): Promise<boolean> {
    if (this.occupied) return false;
    await this.#nvml.lane.run(() => this.#nvml.shutdown(), deadlineMs);
    return true;
  }
}
