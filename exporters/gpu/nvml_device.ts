/**
 * What NVML tells about one GPU, or one MIG instance of it, as numbers in NVML's own units.
 *
 * Each method makes the calls for one kind of value and answers undefined where this GPU, driver or user does
 * not have it. No handle, buffer or code of the library goes further than this layer.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
 * @module
 */
import type { NvmlCalls } from "./nvml_calls.ts";
import { CODE } from "./nvml_codes.ts";
import { AT_START_4, AT_START_8, NvmlBuffer, STRUCTS } from "./nvml_structs.ts";

const TEXT_BYTES = 96;
/** More fans than any card has: a larger count is garbage. */
const MAX_FANS = 32;

/** Clock domains by `nvmlClockType_t`. */
export const CLOCKS = ["graphics", "sm", "memory", "video"] as const;
/** Codecs by `nvmlEncoderType_t`. */
export const CODECS = ["h264", "hevc", "av1"] as const;
/** The engines with a utilization of their own, and the function that tells it. */
export const ENGINES = {
  encoder: "nvmlDeviceGetEncoderUtilization",
  decoder: "nvmlDeviceGetDecoderUtilization",
  jpeg: "nvmlDeviceGetJpgUtilization",
  ofa: "nvmlDeviceGetOfaUtilization",
} as const;

/** Memory in bytes. */
export interface MemoryInfo {
  readonly total: bigint;
  readonly free: bigint;
  /** Without what the driver reserves; before R510 with it. */
  readonly used: bigint;
  readonly reserved?: bigint;
}

/** NVENC sessions of a GPU together. */
export interface EncoderStats {
  readonly sessions: number;
  readonly averageFps: number;
  readonly averageLatencyMicroseconds: number;
}

/** The functions with one 4-byte result. */
type U32Function =
  | "nvmlDeviceGetMinorNumber"
  | "nvmlDeviceGetPowerUsage"
  | "nvmlDeviceGetEnforcedPowerLimit"
  | "nvmlDeviceGetNumFans"
  | "nvmlDeviceGetFanSpeed"
  | "nvmlDeviceGetPerformanceState"
  | "nvmlDeviceGetCurrPcieLinkGeneration"
  | "nvmlDeviceGetCurrPcieLinkWidth"
  | "nvmlDeviceGetMaxMigDeviceCount"
  | "nvmlDeviceGetGpuInstanceId"
  | "nvmlDeviceGetComputeInstanceId";

/** One GPU, or one MIG device. */
export class NvmlDevice {
  readonly calls: NvmlCalls;
  /** `nvmlDevice_t`: says which GPU an event is about. */
  readonly handle: bigint;
  // Calls of one device follow one another, so they share their memory.
  readonly #out = new NvmlBuffer(TEXT_BYTES);
  readonly #second = new NvmlBuffer(8);
  readonly #third = new NvmlBuffer(8);

  constructor(calls: NvmlCalls, handle: bigint) {
    this.calls = calls;
    this.handle = handle;
  }

  /** Product name. */
  async name(): Promise<string | undefined> {
    return await this.calls.ok("nvmlDeviceGetName", this.handle, this.#out.bytes, TEXT_BYTES)
      ? this.#out.text()
      : undefined;
  }

  /** `GPU-…` or `MIG-…`. */
  async uuid(): Promise<string | undefined> {
    return await this.calls.ok("nvmlDeviceGetUUID", this.handle, this.#out.bytes, TEXT_BYTES)
      ? this.#out.text()
      : undefined;
  }

  /** Place on the PCI bus: `00000000:01:00.0`. */
  async pciBusId(): Promise<string | undefined> {
    const [offset, length] = STRUCTS.nvmlPciInfo_t.members.busId;
    if (!await this.calls.ok("nvmlDeviceGetPciInfo_v3", this.handle, this.#out.bytes)) return undefined;
    return this.#out.text(offset, length);
  }

  /** A value of a function that has just one. */
  async u32(name: U32Function): Promise<number | undefined> {
    return await this.calls.ok(name, this.handle, this.#out.bytes) ? this.#out.u32(AT_START_4) : undefined;
  }

  /** GPU temperature in degrees Celsius. */
  async temperatureCelsius(): Promise<number | undefined> {
    const { version, members } = STRUCTS.nvmlTemperature_t;
    this.#out.setU32(members.version, version);
    this.#out.setU32(members.sensorType, 0);
    if (await this.calls.ok("nvmlDeviceGetTemperatureV", this.handle, this.#out.bytes)) {
      return this.#out.i32(members.temperature);
    }
    return await this.calls.ok("nvmlDeviceGetTemperature", this.handle, 0, this.#out.bytes)
      ? this.#out.u32(AT_START_4)
      : undefined;
  }

  /** How many fans can be read one by one; undefined where the driver knows only one speed. */
  async fanCount(): Promise<number | undefined> {
    if (!this.calls.has("nvmlDeviceGetNumFans") || !this.calls.has("nvmlDeviceGetFanSpeed_v2")) {
      return undefined;
    }
    return Math.min(await this.u32("nvmlDeviceGetNumFans") ?? 0, MAX_FANS);
  }

  /** Intended speed of a fan in percent, can be above 100; without a number, of the only one. */
  async fanSpeedPercent(fan?: number): Promise<number | undefined> {
    if (fan === undefined) return await this.u32("nvmlDeviceGetFanSpeed");
    return await this.calls.ok("nvmlDeviceGetFanSpeed_v2", this.handle, fan, this.#out.bytes)
      ? this.#out.u32(AT_START_4)
      : undefined;
  }

  /** Share of time in percent in which the GPU computed and in which its memory was accessed. */
  async utilizationPercent(): Promise<{ gpu: number; memory: number } | undefined> {
    const { gpu, memory } = STRUCTS.nvmlUtilization_t.members;
    return await this.calls.ok("nvmlDeviceGetUtilizationRates", this.handle, this.#out.bytes)
      ? { gpu: this.#out.u32(gpu), memory: this.#out.u32(memory) }
      : undefined;
  }

  /** Utilization of a video engine in percent. */
  async engineUtilizationPercent(engine: keyof typeof ENGINES): Promise<number | undefined> {
    return await this.calls.ok(ENGINES[engine], this.handle, this.#out.bytes, this.#second.bytes)
      ? this.#out.u32(AT_START_4)
      : undefined;
  }

  /** NVENC sessions together; the averages mean nothing without sessions. */
  async encoderStats(): Promise<EncoderStats | undefined> {
    const [count, fps, latency] = [this.#out, this.#second, this.#third];
    if (
      !await this.calls.ok("nvmlDeviceGetEncoderStats", this.handle, count.bytes, fps.bytes, latency.bytes)
    ) return undefined;
    return {
      sessions: count.u32(AT_START_4),
      averageFps: fps.u32(AT_START_4),
      averageLatencyMicroseconds: latency.u32(AT_START_4),
    };
  }

  /** Encoder capacity for a codec that is still free, in percent; the codec by its place in {@linkcode CODECS}. */
  async encoderCapacityPercent(codec: number): Promise<number | undefined> {
    return await this.calls.ok("nvmlDeviceGetEncoderCapacity", this.handle, codec, this.#out.bytes)
      ? this.#out.u32(AT_START_4)
      : undefined;
  }

  /** Memory of the GPU or of the MIG device's GPU instance. */
  async memory(): Promise<MemoryInfo | undefined> {
    const { version, members } = STRUCTS.nvmlMemory_v2_t;
    this.#out.setU32(members.version, version);
    if (await this.calls.ok("nvmlDeviceGetMemoryInfo_v2", this.handle, this.#out.bytes)) {
      return {
        total: this.#out.u64(members.total),
        free: this.#out.u64(members.free),
        used: this.#out.u64(members.used),
        reserved: this.#out.u64(members.reserved),
      };
    }
    const older = STRUCTS.nvmlMemory_t.members;
    return await this.calls.ok("nvmlDeviceGetMemoryInfo", this.handle, this.#out.bytes)
      ? {
        total: this.#out.u64(older.total),
        free: this.#out.u64(older.free),
        used: this.#out.u64(older.used),
      }
      : undefined;
  }

  /** A clock now or at most, in MHz, by its place in {@linkcode CLOCKS}. */
  async clockMegahertz(
    clock: number,
    name: "nvmlDeviceGetClockInfo" | "nvmlDeviceGetMaxClockInfo",
  ): Promise<number | undefined> {
    return await this.calls.ok(name, this.handle, clock, this.#out.bytes)
      ? this.#out.u32(AT_START_4)
      : undefined;
  }

  /** Bits that say why the clocks are not higher, or which of these reasons the GPU can give. */
  async clocksEventReasons(which: "Current" | "Supported"): Promise<bigint | undefined> {
    for (
      const name of [
        `nvmlDeviceGet${which}ClocksEventReasons`,
        `nvmlDeviceGet${which}ClocksThrottleReasons`,
      ] as const
    ) {
      if (!this.calls.has(name)) continue;
      return await this.calls.ok(name, this.handle, this.#out.bytes) ? this.#out.u64(AT_START_8) : undefined;
    }
    return undefined;
  }

  /** PCIe traffic in KB/s, measured during this call for about 20 ms. */
  async pcieKilobytesPerSecond(direction: "tx" | "rx"): Promise<number | undefined> {
    const counter = direction === "tx" ? 0 : 1;
    return await this.calls.ok("nvmlDeviceGetPcieThroughput", this.handle, counter, this.#out.bytes)
      ? this.#out.u32(AT_START_4)
      : undefined;
  }

  /** Whether MIG is on; undefined where the GPU has none. */
  async migEnabled(): Promise<boolean | undefined> {
    return await this.calls.ok("nvmlDeviceGetMigMode", this.handle, this.#out.bytes, this.#second.bytes)
      ? this.#out.u32(AT_START_4) === 1
      : undefined;
  }

  /** The MIG device in a slot; undefined when it is empty. */
  async migDevice(slot: number): Promise<NvmlDevice | undefined> {
    const name = "nvmlDeviceGetMigDeviceHandleByIndex";
    const code = await this.calls.code(name, this.handle, slot, this.#out.bytes);
    if (code === CODE.notFound || code === CODE.invalidArgument) return undefined;
    return this.calls.judge(name, code) ? new NvmlDevice(this.calls, this.#out.u64(AT_START_8)) : undefined;
  }
}
