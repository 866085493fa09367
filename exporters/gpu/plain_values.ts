/**
 * Values that a call reports as they are. Each is one row: function, place in the result, unit, metric.
 *
 * @module
 */
import type { Labels } from "../../lib/exposition.ts";
import type { GpuSamples, Unit } from "./gpu_samples.ts";
import { type GpuMetric, METRICS } from "./metrics.ts";
import type { NvmlFunction } from "./nvml_calls.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { AT_START_4, type Member, type StructLayout, STRUCTS } from "./nvml_structs.ts";

/** Clock domains by `nvmlClockType_t`. */
const CLOCKS = ["graphics", "sm", "memory", "video"] as const;
/** Codecs by `nvmlEncoderType_t`. */
export const CODECS = ["h264", "hevc", "av1"] as const;
/** More fans than any card has: a larger count is garbage. */
const MAX_FANS = 32;

/** A value, and the metric that it becomes. */
export interface PlainValue {
  readonly metric: GpuMetric;
  readonly labels?: Labels;
  /** @default {"1"} */
  readonly unit?: Unit;
  /** A number that means "no value". */
  readonly none?: number;
  /** Where it lies in what the function writes. @default the first 4 bytes */
  readonly at?: Member<4 | 8>;
  /** The whole that it is a part of: a larger part is impossible. */
  readonly partOf?: Member<4 | 8>;
}

/** A function and the values that it reports. */
export interface PlainCall {
  readonly name: NvmlFunction;
  /** Its other parameters, such as an index. */
  readonly args?: readonly number[];
  /** The struct that it fills, where a version has to be set first. */
  readonly versioned?: StructLayout & { readonly version: number };
  readonly values: readonly PlainValue[];
  /** Fallback, where this one fails. */
  readonly otherwise?: PlainCall;
}

function one(name: NvmlFunction, value: PlainValue, ...args: number[]): PlainCall {
  return { name, args, values: [value] };
}

/** The memory of a GPU, or with labels of a MIG device's GPU instance. */
export function memoryCall(
  { total, used, free, reserved }: Readonly<Record<"total" | "used" | "free" | "reserved", GpuMetric>>,
  labels: Labels = {},
): PlainCall {
  const { nvmlMemory_v2_t: { members: v2 }, nvmlMemory_t: { members: v1 } } = STRUCTS;
  const values = (at: typeof v1 | typeof v2): PlainValue[] => [
    { metric: total, labels, at: at.total },
    { metric: used, labels, at: at.used, partOf: at.total },
    { metric: free, labels, at: at.free, partOf: at.total },
  ];
  return {
    name: "nvmlDeviceGetMemoryInfo_v2",
    versioned: STRUCTS.nvmlMemory_v2_t,
    values: [...values(v2), { metric: reserved, labels, at: v2.reserved, partOf: v2.total }],
    otherwise: { name: "nvmlDeviceGetMemoryInfo", values: values(v1) },
  };
}

const GPU_TEMPERATURE = { metric: METRICS.temperature, labels: { sensor: "gpu" } };

/** Values that change. */
export const CHANGING: readonly PlainCall[] = [
  one("nvmlDeviceGetPowerUsage", { metric: METRICS.power, unit: "mW" }),
  one("nvmlDeviceGetEnforcedPowerLimit", { metric: METRICS.powerLimit, unit: "mW" }),
  {
    name: "nvmlDeviceGetTemperatureV",
    versioned: STRUCTS.nvmlTemperature_t,
    values: [{ ...GPU_TEMPERATURE, at: STRUCTS.nvmlTemperature_t.members.temperature }],
    // NVML_TEMPERATURE_GPU is 0.
    otherwise: one("nvmlDeviceGetTemperature", GPU_TEMPERATURE, 0),
  },
  {
    name: "nvmlDeviceGetUtilizationRates",
    values: [
      { metric: METRICS.utilization, unit: "%", at: STRUCTS.nvmlUtilization_t.members.gpu },
      { metric: METRICS.memoryUtilization, unit: "%", at: STRUCTS.nvmlUtilization_t.members.memory },
    ],
  },
  one("nvmlDeviceGetEncoderUtilization", { metric: METRICS.encoder, unit: "%" }),
  one("nvmlDeviceGetDecoderUtilization", { metric: METRICS.decoder, unit: "%" }),
  one("nvmlDeviceGetJpgUtilization", { metric: METRICS.jpeg, unit: "%" }),
  one("nvmlDeviceGetOfaUtilization", { metric: METRICS.ofa, unit: "%" }),
  memoryCall({
    total: METRICS.memoryTotal,
    used: METRICS.memoryUsed,
    free: METRICS.memoryFree,
    reserved: METRICS.memoryReserved,
  }),
  ...CLOCKS.map((clock, index) =>
    one("nvmlDeviceGetClockInfo", { metric: METRICS.clock, labels: { clock }, unit: "MHz" }, index)
  ),
  // NVML_PSTATE_UNKNOWN is 32.
  one("nvmlDeviceGetPerformanceState", { metric: METRICS.performanceState, none: 32 }),
  one("nvmlDeviceGetCurrPcieLinkGeneration", { metric: METRICS.pcieLinkGeneration }),
  one("nvmlDeviceGetCurrPcieLinkWidth", { metric: METRICS.pcieLinkWidth }),
  ...CODECS.map((codec, index) =>
    one(
      "nvmlDeviceGetEncoderCapacity",
      { metric: METRICS.encoderCapacity, labels: { codec }, unit: "%" },
      index,
    )
  ),
];

/** Values that stay the same while the driver runs. */
export const FIXED: readonly PlainCall[] = CLOCKS.map((clock, index) =>
  one("nvmlDeviceGetMaxClockInfo", { metric: METRICS.clockMax, labels: { clock }, unit: "MHz" }, index)
);

/** PCIe traffic; each call measures for 20 ms. */
export const MEASURED_PCIE: readonly PlainCall[] = Object.entries({ rx: 1, tx: 0 }).map((
  [direction, counter],
) =>
  one(
    "nvmlDeviceGetPcieThroughput",
    { metric: METRICS.pcieThroughput, labels: { direction }, unit: "KB/s" },
    counter,
  )
);

/** The speed of each fan; drivers before R510 report a single one. */
export async function fanCalls(device: NvmlDevice): Promise<readonly PlainCall[]> {
  const value = (fan: number): PlainValue => ({
    metric: METRICS.fan,
    labels: { fan: String(fan) },
    unit: "%",
  });
  if (!device.has("nvmlDeviceGetNumFans") || !device.has("nvmlDeviceGetFanSpeed_v2")) {
    return [one("nvmlDeviceGetFanSpeed", value(0))];
  }
  const count = Math.min(await device.u32("nvmlDeviceGetNumFans") ?? 0, MAX_FANS);
  return Array.from({ length: count }, (_, fan) => one("nvmlDeviceGetFanSpeed_v2", value(fan), fan));
}

/** Reads values one after the other. Returns how many calls succeeded. */
export async function readPlainValues(
  device: NvmlDevice,
  calls: readonly PlainCall[],
  samples: GpuSamples,
): Promise<number> {
  let answered = 0;
  for (const first of calls) {
    for (let call: PlainCall | undefined = first; call; call = call.otherwise) {
      const { versioned, values } = call;
      if (versioned) {
        device.out[0].bytes.fill(0, 0, versioned.size);
        device.out[0].setU32(AT_START_4, versioned.version);
      }
      if (!await device.ask(call.name, call.args)) continue;
      for (const value of values) samples.add(value.metric, valueIn(device, value), value);
      answered++;
      break;
    }
  }
  return answered;
}

/** Undefined for "no value", NaN for an impossible one. */
function valueIn(
  { out: [result] }: NvmlDevice,
  { at = AT_START_4, none, partOf }: PlainValue,
): number | bigint | undefined {
  const value = result.unsigned(at);
  if (value === none) return undefined;
  return partOf && value > result.unsigned(partOf) ? NaN : value;
}
