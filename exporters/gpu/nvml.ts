/**
 * The part of NVML that is about the library and the machine: start, stop, versions, GPUs, events.
 *
 * NVML: https://docs.nvidia.com/deploy/nvml-api/
 *
 * @module
 */
import type { CallLane } from "./call_lane.ts";
import { NvmlCalls } from "./nvml_calls.ts";
import { CODE, isAbsent, NvmlError } from "./nvml_codes.ts";
import { NvmlDevice } from "./nvml_device.ts";
import { AT_START_4, AT_START_8, NvmlBuffer, STRUCTS } from "./nvml_structs.ts";
import type { NvmlSymbols } from "./nvml_symbols.ts";

const VERSION_BYTES = 80;
/** `nvmlEventTypeXidCriticalError`. */
const XID_EVENT = 0x8n;

/** What happened on a GPU. */
export interface NvmlEvent {
  /** Handle of the GPU, as {@linkcode NvmlDevice.handle} has it. */
  readonly handle: bigint;
  /** Number of the Xid; 999 when the driver does not tell. */
  readonly xid: number;
}

/** The driver's versions. */
export interface NvmlVersions {
  readonly driver: string | undefined;
  readonly nvml: string | undefined;
  /** Newest CUDA that the driver runs: `13.2`. */
  readonly cuda: string | undefined;
}

/** The library; every call of one object goes through one lane. */
export class Nvml {
  readonly #calls: NvmlCalls;
  readonly #out = new NvmlBuffer(VERSION_BYTES);
  /** Starts not yet ended, one for each that succeeded, also after nobody waited for it any more. */
  #starts = 0;

  constructor(symbols: NvmlSymbols, lane: CallLane) {
    this.#calls = new NvmlCalls(symbols, lane);
  }

  /** Starts NVML; attaches to no GPU yet. @throws {NvmlError} when there is no working driver */
  async init(): Promise<void> {
    const { symbols: { nvmlInit_v2: start }, lane } = this.#calls;
    const code = await lane.call("nvmlInit_v2", async () => {
      const code = await start?.() ?? CODE.functionNotFound;
      if (code === CODE.success) this.#starts++;
      return code;
    });
    if (code !== CODE.success) throw new NvmlError(code, "nvmlInit_v2");
  }

  /** Ends what {@linkcode init} started. No other call may be inside the library. */
  async shutdown(): Promise<void> {
    for (; this.#starts > 0; this.#starts--) await this.#calls.code("nvmlShutdown");
  }

  /** Reads the driver's versions. */
  async versions(): Promise<NvmlVersions> {
    const cuda = await this.#calls.ok("nvmlSystemGetCudaDriverVersion", this.#out.bytes)
      ? this.#out.i32(AT_START_4)
      : 0;
    return {
      driver: await this.#text("nvmlSystemGetDriverVersion"),
      nvml: await this.#text("nvmlSystemGetNVMLVersion"),
      cuda: cuda > 0 ? `${Math.trunc(cuda / 1000)}.${Math.trunc(cuda % 1000 / 10)}` : undefined,
    };
  }

  /** How many GPUs the driver has, those included that do not work. @throws {NvmlError} */
  async deviceCount(): Promise<number> {
    await this.#calls.must("nvmlDeviceGetCount_v2", this.#out.bytes);
    return this.#out.u32(AT_START_4);
  }

  /**
   * Attaches to a GPU, through its own lane. May take seconds where nothing else holds the driver.
   *
   * @throws {NvmlError} when the GPU cannot be used
   */
  static async attach(symbols: NvmlSymbols, lane: CallLane, index: number): Promise<NvmlDevice> {
    const calls = new NvmlCalls(symbols, lane);
    const out = new NvmlBuffer(8);
    await calls.must("nvmlDeviceGetHandleByIndex_v2", index, out.bytes);
    return new NvmlDevice(calls, out.u64(AT_START_8));
  }

  /**
   * Has a GPU's Xids delivered to an event set. Returns whether the set can still be used: it can when the GPU has
   * none, it is undefined when registering fails.
   */
  static async registerXids(device: NvmlDevice, set: bigint): Promise<boolean> {
    const code = await device.calls.code("nvmlDeviceRegisterEvents", device.handle, XID_EVENT, set);
    return code === CODE.success || isAbsent(code);
  }

  /** Creates an event set; undefined where there are no events. */
  async createEventSet(): Promise<bigint | undefined> {
    return await this.#calls.ok("nvmlEventSetCreate", this.#out.bytes)
      ? this.#out.u64(AT_START_8)
      : undefined;
  }

  /**
   * Waits for the next Xid; undefined when none came within `timeoutMs`, or the event was of another kind.
   *
   * @throws {NvmlError} when waiting fails, for example because a GPU is lost
   */
  async waitForXid(set: bigint, timeoutMs: number): Promise<NvmlEvent | undefined> {
    const { size, members } = STRUCTS.nvmlEventData_t;
    const data = new NvmlBuffer(size);
    const code = await this.#calls.code("nvmlEventSetWait_v2", set, data.bytes, timeoutMs);
    if (code === CODE.timeout) return undefined;
    if (code !== CODE.success) throw new NvmlError(code, "nvmlEventSetWait_v2");
    if (data.u64(members.eventType) !== XID_EVENT) return undefined;
    return { handle: data.u64(members.device), xid: Number(data.u64(members.eventData)) };
  }

  /** Frees an event set that nobody waits for. */
  async freeEventSet(set: bigint): Promise<void> {
    await this.#calls.code("nvmlEventSetFree", set);
  }

  async #text(name: "nvmlSystemGetDriverVersion" | "nvmlSystemGetNVMLVersion"): Promise<string | undefined> {
    return await this.#calls.ok(name, this.#out.bytes, VERSION_BYTES) ? this.#out.text() : undefined;
  }
}
