/**
 * Byte layouts of the NVML structs that the exporter reads: little-endian, 64-bit Linux.
 *
 * A test compiles these structs in C and compares every size and offset.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceStructs.html
 * @module
 */

/** Where a member lies in its struct, in bytes. */
export type Member<S extends number = 4 | 8 | 16 | 32> = readonly [offset: number, size: S];

/** A struct: its size in bytes, its `version` value where it has one, its members. */
export interface StructLayout {
  readonly size: number;
  /** What its `version` member must hold: size | version << 24. */
  readonly version?: number;
  readonly members: Readonly<Record<string, Member>>;
}

/** The layouts by the C type's name. */
export const STRUCTS = {
  nvmlUtilization_t: { size: 8, members: { gpu: [0, 4], memory: [4, 4] } },
  nvmlMemory_t: { size: 24, members: { total: [0, 8], free: [8, 8], used: [16, 8] } },
  nvmlMemory_v2_t: {
    size: 40,
    version: 0x02000028,
    members: { version: [0, 4], total: [8, 8], reserved: [16, 8], free: [24, 8], used: [32, 8] },
  },
  nvmlPciInfo_t: {
    size: 68,
    members: {
      busIdLegacy: [0, 16],
      domain: [16, 4],
      bus: [20, 4],
      device: [24, 4],
      pciDeviceId: [28, 4],
      pciSubSystemId: [32, 4],
      busId: [36, 32],
    },
  },
  nvmlTemperature_t: {
    size: 12,
    version: 0x0100000C,
    members: { version: [0, 4], sensorType: [4, 4], temperature: [8, 4] },
  },
  nvmlFieldValue_t: {
    size: 40,
    members: {
      fieldId: [0, 4],
      scopeId: [4, 4],
      timestamp: [8, 8],
      latencyUsec: [16, 8],
      valueType: [24, 4],
      nvmlReturn: [28, 4],
      value: [32, 8],
    },
  },
  nvmlEncoderSessionInfo_t: {
    size: 32,
    members: {
      sessionId: [0, 4],
      pid: [4, 4],
      vgpuInstance: [8, 4],
      codecType: [12, 4],
      hResolution: [16, 4],
      vResolution: [20, 4],
      averageFps: [24, 4],
      averageLatency: [28, 4],
    },
  },
  /** Written by the process lists without a suffix. */
  nvmlProcessInfo_v1_t: { size: 16, members: { pid: [0, 4], usedGpuMemory: [8, 8] } },
  /** Written by `_v2` and `_v3`. */
  nvmlProcessInfo_t: {
    size: 24,
    members: { pid: [0, 4], usedGpuMemory: [8, 8], gpuInstanceId: [16, 4], computeInstanceId: [20, 4] },
  },
  /** Written by `_v3` of the drivers 535.43.02 to 535.86.05. */
  nvmlProcessDetail_v1_t: {
    size: 32,
    members: {
      pid: [0, 4],
      usedGpuMemory: [8, 8],
      gpuInstanceId: [16, 4],
      computeInstanceId: [20, 4],
      usedGpuCcProtectedMemory: [24, 8],
    },
  },
  nvmlProcessUtilizationSample_t: {
    size: 32,
    members: {
      pid: [0, 4],
      timeStamp: [8, 8],
      smUtil: [16, 4],
      memUtil: [20, 4],
      encUtil: [24, 4],
      decUtil: [28, 4],
    },
  },
  nvmlDeviceAttributes_t: {
    size: 40,
    members: {
      multiprocessorCount: [0, 4],
      sharedCopyEngineCount: [4, 4],
      sharedDecoderCount: [8, 4],
      sharedEncoderCount: [12, 4],
      sharedJpegCount: [16, 4],
      sharedOfaCount: [20, 4],
      gpuInstanceSliceCount: [24, 4],
      computeInstanceSliceCount: [28, 4],
      memorySizeMB: [32, 8],
    },
  },
  nvmlEventData_t: {
    size: 32,
    members: {
      device: [0, 8],
      eventType: [8, 8],
      eventData: [16, 8],
      gpuInstanceId: [24, 4],
      computeInstanceId: [28, 4],
    },
  },
} as const satisfies Record<string, StructLayout>;

const DECODER = new TextDecoder();
// deno-lint-ignore no-control-regex
const CONTROL_REGEXP = /[\u0000-\u001f\u007f]/g;

/** Memory that a struct, a list of structs or a text is written to. */
export class NvmlBuffer {
  /** Passed to the call. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;

  constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Reads a 4-byte unsigned member of the struct at `base`. */
  u32([offset]: Member<4>, base = 0): number {
    return this.#view.getUint32(base + offset, true);
  }

  /** Reads an unsigned member of either size. */
  unsigned([offset, size]: Member<4 | 8>): number | bigint {
    return size === 4 ? this.u32([offset, size]) : this.u64([offset, size]);
  }

  /** Reads a 4-byte signed member. */
  i32([offset]: Member<4>, base = 0): number {
    return this.#view.getInt32(base + offset, true);
  }

  /** Reads an 8-byte unsigned member. */
  u64([offset]: Member<8>, base = 0): bigint {
    return this.#view.getBigUint64(base + offset, true);
  }

  /** Reads an 8-byte signed member. */
  i64([offset]: Member<8>, base = 0): bigint {
    return this.#view.getBigInt64(base + offset, true);
  }

  /** Reads an 8-byte floating-point member. */
  f64([offset]: Member<8>, base = 0): number {
    return this.#view.getFloat64(base + offset, true);
  }

  /** Writes a 4-byte member. */
  setU32([offset]: Member<4>, value: number, base = 0): void {
    this.#view.setUint32(base + offset, value, true);
  }

  /** The text at `offset` up to its NUL or `length` bytes; invalid UTF-8 becomes U+FFFD. */
  text(offset = 0, length = this.bytes.length - offset): string {
    const part = this.bytes.subarray(offset, offset + length);
    const end = part.indexOf(0);
    return DECODER.decode(end < 0 ? part : part.subarray(0, end)).replace(CONTROL_REGEXP, "").trim();
  }
}

/** A lone out-parameter, at the start of its buffer. */
export const AT_START_4: Member<4> = [0, 4];
/** A lone 8-byte out-parameter. */
export const AT_START_8: Member<8> = [0, 8];
