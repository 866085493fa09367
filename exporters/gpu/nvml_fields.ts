/**
 * Many values of a GPU in one driver call, by field number.
 *
 * Only numbers with the same meaning in every version of nvml.h are used; 199, 200 and 251 to 273 changed theirs.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlFieldValueEnums.html
 * @module
 */
import type { GpuSamples } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";
import { CODE } from "./nvml_codes.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { NvmlBuffer, STRUCTS } from "./nvml_structs.ts";
import type { PlainValue } from "./plain_values.ts";

/** Bytes sent and received over PCIe; since NVML 12.5. */
export const PCIE_BYTES = { tx: 197, rx: 198 } as const;

/** Plain values, by field number in nvml.h (`NVML_FI_DEV_…`). */
const PLAIN: readonly (Omit<PlainValue, "at" | "partOf"> & { readonly field: number })[] = [
  { field: 3, metric: METRICS.eccErrors, labels: { kind: "corrected", scope: "volatile" } },
  { field: 5, metric: METRICS.eccErrors, labels: { kind: "corrected", scope: "aggregate" } },
  { field: 4, metric: METRICS.eccErrors, labels: { kind: "uncorrected", scope: "volatile" } },
  { field: 6, metric: METRICS.eccErrors, labels: { kind: "uncorrected", scope: "aggregate" } },
  // 0 °C is a missing sensor: no card in use is that cold.
  { field: 82, metric: METRICS.temperature, labels: { sensor: "memory" }, none: 0 },
  { field: 83, metric: METRICS.energy, unit: "mJ" },
  { field: 94, metric: METRICS.pcieReplays },
  { field: 142, metric: METRICS.remappedRows, labels: { kind: "correctable" } },
  { field: 143, metric: METRICS.remappedRows, labels: { kind: "uncorrectable" } },
  { field: 144, metric: METRICS.rowRemappingPending },
  { field: 145, metric: METRICS.rowRemappingFailed },
];

/** The numbers of all fields that are read. */
export const FIELDS: readonly number[] = [...PLAIN.map(({ field }) => field), ...Object.values(PCIE_BYTES)];

/** The values that the GPU has, by field number; 64-bit ones as bigint. */
export type FieldValues = ReadonlyMap<number, number | bigint>;

const { size: SIZE, members: MEMBERS } = STRUCTS.nvmlFieldValue_t;

/** Reads the fields of one GPU. */
export class FieldReader {
  readonly #device: NvmlDevice;
  readonly #list = new NvmlBuffer(FIELDS.length * SIZE);

  constructor(device: NvmlDevice) {
    this.#device = device;
  }

  /** Reads all fields and adds the plain ones; what the GPU lacks is absent. */
  async read(samples: GpuSamples): Promise<FieldValues> {
    const list = this.#list;
    for (const [index, field] of FIELDS.entries()) {
      list.setU32(MEMBERS.fieldId, field, index * SIZE);
      list.setU32(MEMBERS.scopeId, 0, index * SIZE);
      // Each entry has its own return code, and no value unless that is 0.
      list.setU32(MEMBERS.nvmlReturn, CODE.UNKNOWN, index * SIZE);
    }
    const values = new Map<number, number | bigint>();
    const { handle } = this.#device;
    if (await this.#device.ok("nvmlDeviceGetFieldValues", handle, FIELDS.length, list.bytes)) {
      for (const [index, field] of FIELDS.entries()) {
        if (list.u32(MEMBERS.nvmlReturn, index * SIZE) !== CODE.SUCCESS) continue;
        const value = this.#valueAt(index * SIZE);
        if (value !== undefined) values.set(field, value);
      }
    }
    for (const { field, metric, none, ...how } of PLAIN) {
      const value = values.get(field);
      if (value !== none) samples.add(metric, value, how);
    }
    return values;
  }

  /** Reads the union by its `nvmlValueType_t`; undefined for an unknown type. */
  #valueAt(base: number): number | bigint | undefined {
    const at = [MEMBERS.value[0], 4] as const;
    switch (this.#list.u32(MEMBERS.valueType, base)) {
      case 0:
        return this.#list.f64(MEMBERS.value, base);
      case 1:
        return this.#list.u32(at, base);
      case 2:
      case 3:
        return this.#list.u64(MEMBERS.value, base);
      case 4:
        return this.#list.i64(MEMBERS.value, base);
      case 5:
        return this.#list.i32(at, base);
      case 6:
        return this.#list.u32(at, base) & 0xffff;
      default:
        return undefined;
    }
  }
}
