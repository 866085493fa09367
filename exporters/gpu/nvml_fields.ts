/**
 * Many values of a GPU in one driver call, by field number.
 *
 * Only numbers that have kept their meaning in every version of nvml.h are used; 199, 200 and 251 to 273 have not.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlFieldValueEnums.html
 * @module
 */
import type { NvmlCalls } from "./nvml_calls.ts";
import { CODE } from "./nvml_codes.ts";
import { NvmlBuffer, STRUCTS } from "./nvml_structs.ts";

/** The fields that are read, by their number in nvml.h (`NVML_FI_DEV_…`). */
export const FIELDS = {
  /** ECC errors that were corrected, since the driver was loaded. */
  eccCorrectedVolatile: 3,
  /** ECC errors that could not be corrected, since the driver was loaded. */
  eccUncorrectedVolatile: 4,
  /** The same over the GPU's life. */
  eccCorrectedAggregate: 5,
  /** The same over the GPU's life. */
  eccUncorrectedAggregate: 6,
  /** Degrees Celsius. */
  memoryTemperature: 82,
  /** Millijoules since the driver was loaded. */
  energy: 83,
  pcieReplays: 94,
  remappedRowsCorrectable: 142,
  remappedRowsUncorrectable: 143,
  rowRemappingPending: 144,
  rowRemappingFailed: 145,
  /** Bytes; since NVML 12.5. */
  pcieTxBytes: 197,
  /** Bytes; since NVML 12.5. */
  pcieRxBytes: 198,
} as const;

/** Name of a field. */
export type FieldName = keyof typeof FIELDS;

/** The values that the GPU has; 64-bit ones as bigint. */
export type FieldValues = Readonly<Partial<Record<FieldName, number | bigint>>>;

const NAMES = Object.keys(FIELDS) as FieldName[];
const { size: SIZE, members: MEMBERS } = STRUCTS.nvmlFieldValue_t;

/** Reads the fields of one GPU. */
export class FieldReader {
  readonly #calls: NvmlCalls;
  readonly #handle: bigint;
  readonly #list = new NvmlBuffer(NAMES.length * SIZE);

  constructor(calls: NvmlCalls, handle: bigint) {
    this.#calls = calls;
    this.#handle = handle;
  }

  /** Reads all fields; what the GPU does not have is left out. */
  async read(): Promise<FieldValues> {
    for (const [index, name] of NAMES.entries()) {
      this.#list.setU32(MEMBERS.fieldId, FIELDS[name], index * SIZE);
      this.#list.setU32(MEMBERS.scopeId, 0, index * SIZE);
      // Each entry has a return code of its own, and no value unless that is 0.
      this.#list.setU32(MEMBERS.nvmlReturn, CODE.unknown, index * SIZE);
    }
    const values: Partial<Record<FieldName, number | bigint>> = {};
    if (!await this.#calls.ok("nvmlDeviceGetFieldValues", this.#handle, NAMES.length, this.#list.bytes)) {
      return values;
    }
    for (const [index, name] of NAMES.entries()) {
      const base = index * SIZE;
      if (this.#list.u32(MEMBERS.nvmlReturn, base) !== CODE.success) continue;
      const value = this.#valueAt(base);
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  /** Reads the union as its `nvmlValueType_t` says; undefined for a type that is not known. */
  #valueAt(base: number): number | bigint | undefined {
    switch (this.#list.u32(MEMBERS.valueType, base)) {
      case 0:
        return this.#list.f64(MEMBERS.value, base);
      case 1:
        return this.#list.u32([MEMBERS.value[0], 4], base);
      case 2:
      case 3:
        return this.#list.u64(MEMBERS.value, base);
      case 4:
        return this.#list.i64(MEMBERS.value, base);
      case 5:
        return this.#list.i32([MEMBERS.value[0], 4], base);
      case 6:
        return this.#list.u32([MEMBERS.value[0], 4], base) & 0xffff;
      default:
        return undefined;
    }
  }
}
