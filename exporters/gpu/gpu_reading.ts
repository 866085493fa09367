/**
 * One reading of one GPU: every value that changes, in NVML's units.
 *
 * What cannot change while the driver runs is read once, when the GPU is attached.
 *
 * @module
 */
import { CODE, NvmlError } from "./nvml_codes.ts";
import {
  CLOCKS,
  CODECS,
  type EncoderStats,
  ENGINES,
  type MemoryInfo,
  type NvmlDevice,
} from "./nvml_device.ts";
import { FieldReader, type FieldValues } from "./nvml_fields.ts";
import { type EncoderSession, type GpuProcess, ListReader, type ProcessUtilization } from "./nvml_lists.ts";
import { MigReader, type MigReading } from "./nvml_mig.ts";

/** How far back the first look at the processes' utilization goes. */
const FIRST_WINDOW_MICROSECONDS = 1_000_000n;

/** What a GPU is. */
export interface GpuIdentity {
  readonly uuid: string;
  readonly name: string | undefined;
  readonly pciBusId: string | undefined;
  /** N of /dev/nvidiaN. */
  readonly minor: number | undefined;
}

/** What to read beyond the GPU itself. */
export interface ReadOptions {
  /** Read the processes too. */
  readonly processes: boolean;
  /** Measure PCIe traffic where the driver has no byte counters, which takes 40 ms. */
  readonly measurePcie: boolean;
  /** @default {() => performance.now()} */
  readonly monotonicMs?: () => number;
}

/** PCIe traffic in bytes per second. */
export interface PcieRates {
  readonly tx: number | undefined;
  readonly rx: number | undefined;
}

/** What the processes of a GPU use. */
export interface ProcessReading {
  readonly compute: readonly GpuProcess[];
  readonly graphics: readonly GpuProcess[];
  /** The newest sample of each process since the last reading. */
  readonly utilization: readonly ProcessUtilization[];
}

/** The values of a GPU; undefined where it has none. */
export interface GpuReading {
  readonly powerMilliwatts: number | undefined;
  readonly powerLimitMilliwatts: number | undefined;
  readonly temperatureCelsius: number | undefined;
  /** By fan. */
  readonly fanPercent: readonly (number | undefined)[];
  readonly utilizationPercent: { readonly gpu: number; readonly memory: number } | undefined;
  readonly enginePercent: Readonly<Record<keyof typeof ENGINES, number | undefined>>;
  readonly memory: MemoryInfo | undefined;
  /** By clock domain. */
  readonly clockMegahertz: readonly (number | undefined)[];
  readonly clockMaxMegahertz: readonly (number | undefined)[];
  readonly performanceState: number | undefined;
  readonly eventReasons: bigint | undefined;
  /** Which bits of {@linkcode eventReasons} the GPU can set. */
  readonly eventReasonsSupported: bigint | undefined;
  readonly pcieLinkGeneration: number | undefined;
  readonly pcieLinkWidth: number | undefined;
  readonly pcieRates: PcieRates;
  readonly encoder: EncoderStats | undefined;
  /** Undefined where there is no list. */
  readonly encoderSessions: readonly EncoderSession[] | undefined;
  /** By codec. */
  readonly encoderCapacityPercent: readonly (number | undefined)[];
  readonly fields: FieldValues;
  readonly processes: ProcessReading | undefined;
  /** Undefined where MIG is off. */
  readonly mig: readonly MigReading[] | undefined;
  /** Codes of the calls that failed, by function. */
  readonly failures: ReadonlyMap<string, number>;
}

/** Byte counters that were read between two moments. */
interface PcieSample {
  readonly tx: bigint;
  readonly rx: bigint;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** An attached GPU. */
export class Gpu {
  readonly identity: GpuIdentity;
  readonly #device: NvmlDevice;
  readonly #fields: FieldReader;
  readonly #lists: ListReader;
  readonly #mig: MigReader;
  readonly #fans: number | undefined;
  readonly #clocksMax: readonly (number | undefined)[];
  readonly #reasonsSupported: bigint | undefined;
  #pcieLast: PcieSample | undefined;
  #seenMicroseconds: bigint | undefined;

  private constructor(
    device: NvmlDevice,
    fixed: {
      identity: GpuIdentity;
      fans: number | undefined;
      clocksMax: readonly (number | undefined)[];
      reasonsSupported: bigint | undefined;
    },
  ) {
    this.identity = fixed.identity;
    this.#device = device;
    this.#fields = new FieldReader(device.calls, device.handle);
    this.#lists = new ListReader(device.calls, device.handle);
    this.#mig = new MigReader(device);
    this.#fans = fixed.fans;
    this.#clocksMax = fixed.clocksMax;
    this.#reasonsSupported = fixed.reasonsSupported;
  }

  /** Handle, to know the GPU of an event by. */
  get handle(): bigint {
    return this.#device.handle;
  }

  /** Reads what does not change. @throws {NvmlError} when the GPU does not tell its UUID or refuses its name */
  static async identify(device: NvmlDevice): Promise<Gpu> {
    const { failures } = device.calls;
    const uuid = await device.uuid();
    if (!uuid) throw new NvmlError(failures.get("nvmlDeviceGetUUID") ?? CODE.unknown, "nvmlDeviceGetUUID");
    const name = await device.name();
    // All this is read but once: not while the driver refuses what every user may read.
    if (failures.get("nvmlDeviceGetName") === CODE.noPermission) {
      throw new NvmlError(CODE.noPermission, "nvmlDeviceGetName");
    }
    return new Gpu(device, {
      identity: {
        uuid,
        name,
        pciBusId: await device.pciBusId(),
        minor: await device.u32("nvmlDeviceGetMinorNumber"),
      },
      fans: await device.fanCount(),
      clocksMax: await inTurn(CLOCKS, (_, i) => device.clockMegahertz(i, "nvmlDeviceGetMaxClockInfo")),
      reasonsSupported: await device.clocksEventReasons("Supported"),
    });
  }

  /** Reads what changes. @throws {NvmlError} when the GPU or the driver is gone, or nothing can be read */
  async read(
    { processes, measurePcie, monotonicMs = () => performance.now() }: ReadOptions,
  ): Promise<GpuReading> {
    const device = this.#device;
    const failures = device.calls.failures;
    failures.clear();
    const beforeMs = monotonicMs();
    const fields = await this.#fields.read();
    const fieldsMs = { beforeMs, afterMs: monotonicMs() };
    const encoder = await device.encoderStats();
    const mig = await this.#mig.read();
    const reading: GpuReading = {
      powerMilliwatts: await device.u32("nvmlDeviceGetPowerUsage"),
      powerLimitMilliwatts: await device.u32("nvmlDeviceGetEnforcedPowerLimit"),
      temperatureCelsius: await device.temperatureCelsius(),
      fanPercent: this.#fans === undefined
        ? [await device.fanSpeedPercent()]
        : await inTurn(Array.from({ length: this.#fans }), (_, fan) => device.fanSpeedPercent(fan)),
      utilizationPercent: await device.utilizationPercent(),
      enginePercent: {
        encoder: await device.engineUtilizationPercent("encoder"),
        decoder: await device.engineUtilizationPercent("decoder"),
        jpeg: await device.engineUtilizationPercent("jpeg"),
        ofa: await device.engineUtilizationPercent("ofa"),
      },
      memory: await device.memory(),
      clockMegahertz: await inTurn(CLOCKS, (_, i) => device.clockMegahertz(i, "nvmlDeviceGetClockInfo")),
      clockMaxMegahertz: this.#clocksMax,
      performanceState: await device.u32("nvmlDeviceGetPerformanceState"),
      eventReasons: await device.clocksEventReasons("Current"),
      eventReasonsSupported: this.#reasonsSupported,
      pcieLinkGeneration: await device.u32("nvmlDeviceGetCurrPcieLinkGeneration"),
      pcieLinkWidth: await device.u32("nvmlDeviceGetCurrPcieLinkWidth"),
      pcieRates: await this.#pcieRates(fields, fieldsMs, measurePcie),
      encoder,
      encoderSessions: encoder?.sessions === 0 ? [] : await this.#lists.encoderSessions(),
      encoderCapacityPercent: await inTurn(CODECS, (_, codec) => device.encoderCapacityPercent(codec)),
      fields,
      processes: processes ? await this.#processes() : undefined,
      mig,
      failures: mig ? withoutPrivileged(failures) : new Map(failures),
    };
    const [failure] = reading.failures;
    if (failure && isEmpty(reading)) throw new NvmlError(failure[1], failure[0]);
    return reading;
  }

  /** From the driver's 64-bit byte counters, over the time since the last reading; or measured on request. */
  async #pcieRates(
    { pcieTxBytes: tx, pcieRxBytes: rx }: FieldValues,
    time: Pick<PcieSample, "beforeMs" | "afterMs">,
    measure: boolean,
  ): Promise<PcieRates> {
    if (isCounter(tx) && isCounter(rx)) {
      const last = this.#pcieLast;
      const now = this.#pcieLast = { tx, rx, ...time };
      if (!last) return { tx: undefined, rx: undefined };
      return { tx: rateOf(last.tx, now.tx, { last, now }), rx: rateOf(last.rx, now.rx, { last, now }) };
    }
    if (!measure) return { tx: undefined, rx: undefined };
    const kilo = (value: number | undefined): number | undefined =>
      value === undefined ? undefined : value * 1000;
    return {
      tx: kilo(await this.#device.pcieKilobytesPerSecond("tx")),
      rx: kilo(await this.#device.pcieKilobytesPerSecond("rx")),
    };
  }

  async #processes(): Promise<ProcessReading> {
    const nowMicroseconds = BigInt(Date.now()) * 1000n;
    const since = this.#seenMicroseconds ?? nowMicroseconds - FIRST_WINDOW_MICROSECONDS;
    const newest = new Map<number, ProcessUtilization>();
    for (const sample of await this.#lists.processUtilization(since) ?? []) {
      const at = sample.timestampMicroseconds;
      if (at >= (newest.get(sample.pid)?.timestampMicroseconds ?? 0n)) newest.set(sample.pid, sample);
      // A time that lies ahead would hide the samples until then.
      if (at > (this.#seenMicroseconds ?? 0n) && at <= nowMicroseconds) this.#seenMicroseconds = at;
    }
    return {
      compute: await this.#lists.processes("Compute") ?? [],
      graphics: await this.#lists.processes("Graphics") ?? [],
      utilization: [...newest.values()],
    };
  }
}

/** Whether not one of the values that every GPU has could be read. */
function isEmpty(reading: GpuReading): boolean {
  return reading.powerMilliwatts === undefined && reading.temperatureCelsius === undefined &&
    reading.memory === undefined && reading.utilizationPercent === undefined &&
    reading.performanceState === undefined && reading.clockMegahertz.every((clock) => clock === undefined);
}

/** With MIG on, the memory of the whole GPU is for administrators. */
function withoutPrivileged(failures: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map(
    [...failures].filter(([name, code]) => code !== CODE.noPermission || !name.includes("MemoryInfo")),
  );
}

/**
 * Bytes per second between two readings; undefined where the counter fell, or where a call took so long that the
 * interval is not known to 5 %.
 */
function rateOf(
  from: bigint,
  to: bigint,
  { last, now }: { last: PcieSample; now: PcieSample },
): number | undefined {
  if (to < from) return undefined;
  if (to === from) return 0;
  const shortestMs = now.beforeMs - last.afterMs;
  const longestMs = now.afterMs - last.beforeMs;
  return longestMs > 1.1 * shortestMs ? undefined : Number(to - from) / (shortestMs + longestMs) * 2000;
}

/** Whether a field is a counter of 64 bits; with all bits set it is none. */
function isCounter(value: number | bigint | undefined): value is bigint {
  return typeof value === "bigint" && value >= 0n && value !== 0xffff_ffff_ffff_ffffn;
}

/** Maps one after the other, as the calls of a GPU have to be. */
async function inTurn<T, U>(items: readonly T[], map: (item: T, index: number) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const [index, item] of items.entries()) results.push(await map(item, index));
  return results;
}
