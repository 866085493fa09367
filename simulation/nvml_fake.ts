/**
 * NVML functions without a driver: they answer from objects. Typed by the exporter's own symbol table, so a
 * change there shows here.
 *
 * @module
 */
import { NVML_SYMBOLS, type NvmlSymbols } from "../exporters/gpu/nvml_symbols.ts";
import { STRUCTS } from "../exporters/gpu/nvml_structs.ts";

const SUCCESS = 0;
const INVALID_ARGUMENT = 2;
const NOT_SUPPORTED = 3;
const TIMEOUT = 10;

/** Handle of the first GPU; larger than 2^32, as the real ones are. */
const FIRST_HANDLE = 0x7f00_0000_0000n;

/** An NVENC session of a {@linkcode FakeGpu}. */
export interface FakeSession {
  readonly id: number;
  readonly pid: number;
  /** As in `nvmlEncoderType_t`: 0 H.264, 1 HEVC, 2 AV1. */
  readonly codec: number;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly latencyMicroseconds: number;
}

/** A GPU's values, in NVML's units; what is left out is not supported. */
export interface FakeGpu {
  readonly uuid: string;
  readonly name: string;
  readonly pciBusId: string;
  powerMilliwatts?: number;
  powerLimitMilliwatts?: number;
  temperatureCelsius?: number;
  utilizationPercent?: readonly [gpu: number, memory: number];
  encoderPercent?: number;
  decoderPercent?: number;
  sessions?: readonly FakeSession[];
  /** By codec. */
  encoderCapacityPercent?: readonly number[];
  memory?: { readonly total: bigint; readonly reserved: bigint; readonly used: bigint };
  /** Graphics, SM, memory, video. */
  clocksMegahertz?: readonly number[];
  clocksMaxMegahertz?: readonly number[];
  performanceState?: number;
  eventReasons?: bigint;
  pcieLink?: readonly [generation: number, width: number];
  /** By field number: unsigned 64-bit values. */
  fields?: Readonly<Record<number, bigint>>;
  /** Code of every call for this GPU, in place of an answer. */
  failure?: number;
}

/** The machine: its driver and GPUs. The list may change at any time. */
export interface FakeMachine {
  readonly driverVersion: string;
  readonly gpus: readonly FakeGpu[];
}

type Out = AllowSharedBufferSource | null;

/** Returns functions that answer for the machine as it is when they are called. */
export function createFakeSymbols(machine: FakeMachine): NvmlSymbols {
  const none = Object.fromEntries(Object.keys(NVML_SYMBOLS).map((name) => [name, null])) as NvmlSymbols;
  const of = (handle: number | bigint, answer: (gpu: FakeGpu) => number): Promise<number> => {
    const gpu = machine.gpus[Number(BigInt(handle) - FIRST_HANDLE)];
    return Promise.resolve(gpu ? gpu.failure ?? answer(gpu) : INVALID_ARGUMENT);
  };
  const value =
    (read: (gpu: FakeGpu) => number | undefined) => (handle: number | bigint, out: Out): Promise<number> =>
      of(handle, (gpu) => putU32(out, read(gpu)));
  const textOf =
    (read: (gpu: FakeGpu) => string) =>
    (handle: number | bigint, out: Out, length: number): Promise<number> =>
      of(handle, (gpu) => putText(out, read(gpu), { length }));
  const busy =
    (read: (gpu: FakeGpu) => number | undefined) =>
    (handle: number | bigint, out: Out, period: Out): Promise<number> =>
      of(handle, (gpu) => putU32(period, 166_000) || putU32(out, read(gpu)));
  return {
    ...none,
    nvmlInit_v2: () => Promise.resolve(SUCCESS),
    nvmlShutdown: () => Promise.resolve(SUCCESS),
    nvmlSystemGetDriverVersion: (out, length) =>
      Promise.resolve(putText(out, machine.driverVersion, { length })),
    nvmlDeviceGetCount_v2: (out) => Promise.resolve(putU32(out, machine.gpus.length)),
    nvmlDeviceGetHandleByIndex_v2: (index, out) => {
      const handle = FIRST_HANDLE + BigInt(index);
      viewOf(out).setBigUint64(0, handle, true);
      return of(handle, () => SUCCESS);
    },
    nvmlDeviceGetName: textOf(({ name }) => name),
    nvmlDeviceGetUUID: textOf(({ uuid }) => uuid),
    nvmlDeviceGetPciInfo_v3: (handle, out) =>
      of(
        handle,
        (gpu) => putText(out, gpu.pciBusId, { at: STRUCTS.nvmlPciInfo_t.members.busId[0], length: 32 }),
      ),
    nvmlDeviceGetMinorNumber: (handle, out) => of(handle, (gpu) => putU32(out, machine.gpus.indexOf(gpu))),
    nvmlDeviceGetPowerUsage: value((gpu) => gpu.powerMilliwatts),
    nvmlDeviceGetEnforcedPowerLimit: value((gpu) => gpu.powerLimitMilliwatts),
    nvmlDeviceGetTemperature: (handle, _sensor, out) =>
      of(handle, (gpu) => putU32(out, gpu.temperatureCelsius)),
    nvmlDeviceGetUtilizationRates: (handle, out) =>
      of(handle, ({ utilizationPercent: both }) => putU32(out, both?.[1], 4) || putU32(out, both?.[0])),
    nvmlDeviceGetEncoderUtilization: busy((gpu) => gpu.encoderPercent),
    nvmlDeviceGetDecoderUtilization: busy((gpu) => gpu.decoderPercent),
    nvmlDeviceGetEncoderStats: (handle, count, fps, latency) =>
      of(handle, ({ sessions }) => {
        if (!sessions) return NOT_SUPPORTED;
        putU32(fps, mean(sessions.map((session) => session.fps)));
        putU32(latency, mean(sessions.map((session) => session.latencyMicroseconds)));
        return putU32(count, sessions.length);
      }),
    nvmlDeviceGetEncoderSessions: (handle, count, out) =>
      of(handle, ({ sessions }) => sessions ? putSessions(count, out, sessions) : NOT_SUPPORTED),
    nvmlDeviceGetEncoderCapacity: (handle, codec, out) =>
      of(handle, (gpu) => putU32(out, gpu.encoderCapacityPercent?.[codec])),
    nvmlDeviceGetMemoryInfo_v2: (handle, out) =>
      of(handle, ({ memory }) => memory ? putMemory(out, memory) : NOT_SUPPORTED),
    nvmlDeviceGetClockInfo: (handle, clock, out) =>
      of(handle, (gpu) => putU32(out, gpu.clocksMegahertz?.[clock])),
    nvmlDeviceGetMaxClockInfo: (handle, clock, out) =>
      of(handle, (gpu) => putU32(out, gpu.clocksMaxMegahertz?.[clock])),
    nvmlDeviceGetPerformanceState: value((gpu) => gpu.performanceState),
    nvmlDeviceGetCurrentClocksEventReasons: (handle, out) =>
      of(handle, ({ eventReasons }) => putU64(out, eventReasons)),
    nvmlDeviceGetCurrPcieLinkGeneration: value((gpu) => gpu.pcieLink?.[0]),
    nvmlDeviceGetCurrPcieLinkWidth: value((gpu) => gpu.pcieLink?.[1]),
    nvmlDeviceGetFieldValues: (handle, count, out) =>
      of(handle, ({ fields }) => putFields(count, out, fields ?? {})),
    nvmlEventSetCreate: (out) => Promise.resolve(putU64(out, 1n)),
    nvmlDeviceRegisterEvents: (handle) => of(handle, () => SUCCESS),
    nvmlEventSetWait_v2: (_set, _data, timeoutMs) =>
      new Promise((resolve) => setTimeout(() => resolve(TIMEOUT), timeoutMs)),
    nvmlEventSetFree: () => Promise.resolve(SUCCESS),
  };
}

function viewOf(out: Out): DataView {
  if (out === null) throw new TypeError("must be a buffer: current value is null");
  return ArrayBuffer.isView(out)
    ? new DataView(out.buffer, out.byteOffset, out.byteLength)
    : new DataView(out);
}

function putU32(out: Out, value: number | undefined, at = 0): number {
  if (value === undefined) return NOT_SUPPORTED;
  viewOf(out).setUint32(at, Math.round(value), true);
  return SUCCESS;
}

function putU64(out: Out, value: bigint | undefined, at = 0): number {
  if (value === undefined) return NOT_SUPPORTED;
  viewOf(out).setBigUint64(at, value, true);
  return SUCCESS;
}

function putText(out: Out, text: string, { length, at = 0 }: { length: number; at?: number }): number {
  const bytes = new TextEncoder().encode(`${text}\0`).subarray(0, length);
  for (const [index, byte] of bytes.entries()) viewOf(out).setUint8(at + index, byte);
  return SUCCESS;
}

function putMemory(out: Out, { total, reserved, used }: NonNullable<FakeGpu["memory"]>): number {
  const { members } = STRUCTS.nvmlMemory_v2_t;
  putU64(out, total, members.total[0]);
  putU64(out, reserved, members.reserved[0]);
  putU64(out, used, members.used[0]);
  return putU64(out, total - reserved - used, members.free[0]);
}

function putSessions(count: Out, out: Out, sessions: readonly FakeSession[]): number {
  const { size, members: m } = STRUCTS.nvmlEncoderSessionInfo_t;
  for (const [index, session] of sessions.entries()) {
    const put = (value: number, [offset]: readonly [number, number]): number =>
      putU32(out, value, index * size + offset);
    put(session.id, m.sessionId);
    put(session.pid, m.pid);
    put(session.codec, m.codecType);
    put(session.width, m.hResolution);
    put(session.height, m.vResolution);
    put(session.fps, m.averageFps);
    put(session.latencyMicroseconds, m.averageLatency);
  }
  return putU32(count, sessions.length);
}

function putFields(count: number, out: Out, fields: Readonly<Record<number, bigint>>): number {
  const { size, members: m } = STRUCTS.nvmlFieldValue_t;
  for (let base = 0; base < count * size; base += size) {
    const value = fields[viewOf(out).getUint32(base + m.fieldId[0], true)];
    putU32(out, 3, base + m.valueType[0]);
    putU32(out, putU64(out, value, base + m.value[0]), base + m.nvmlReturn[0]);
  }
  return SUCCESS;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
