/**
 * Calls NVML functions that fill a list of records: the caller passes room for some and gets the number written,
 * or a code that asks for more room. A returned number is never trusted beyond that room.
 *
 * @module
 */
import { CODE } from "./nvml_codes.ts";
import type { NvmlFunction } from "./nvml_calls.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { AT_START_4, NvmlBuffer } from "./nvml_structs.ts";

/** The largest record of any list, in bytes. */
const MAX_RECORD_BYTES = 32;
const FIRST_CAPACITY = 32;
const MAX_CAPACITY = 4096;
/** Memory is filled with this before each call. */
const UNTOUCHED = 0xa5;
const UNTOUCHED_U64 = 0xa5a5a5a5a5a5a5a5n;

/** The memory for the lists of one GPU, kept from call to call. */
export class RecordList {
  readonly #device: NvmlDevice;
  readonly #count = new NvmlBuffer(4);
  #capacity = FIRST_CAPACITY;
  #list = new NvmlBuffer(FIRST_CAPACITY * MAX_RECORD_BYTES);

  constructor(device: NvmlDevice) {
    this.#device = device;
  }

  /** The records that the last call wrote. */
  get list(): NvmlBuffer {
    return this.#list;
  }

  /**
   * Calls until the list fits; returns how many records it has then, undefined where there is no list.
   * `call` gets the memory for the count, which goes in and out, and for the records.
   */
  async fill(
    name: NvmlFunction,
    call: (count: Uint8Array<ArrayBuffer>, list: Uint8Array<ArrayBuffer>) => Promise<number>,
  ): Promise<number | undefined> {
    while (true) {
      this.#list.bytes.fill(UNTOUCHED);
      this.#count.setU32(AT_START_4, this.#capacity);
      const code = await call(this.#count.bytes, this.#list.bytes);
      const count = this.#count.u32(AT_START_4);
      // No new samples, or nothing runs.
      if (code === CODE.NOT_FOUND) return 0;
      if (code === CODE.INSUFFICIENT_SIZE && this.#capacity < MAX_CAPACITY) {
        // A few more than asked for: the list may grow meanwhile.
        this.#capacity = Math.min(Math.max(count + 8, this.#capacity * 2), MAX_CAPACITY);
        this.#list = new NvmlBuffer(this.#capacity * MAX_RECORD_BYTES);
        continue;
      }
      if (!this.#device.judge(name, code)) return undefined;
      if (count <= this.#capacity) return count;
      this.#device.failures.set(name, CODE.UNKNOWN);
      return undefined;
    }
  }

  /** Size of the records just written, of these sizes from large to small; 0 for a smaller one. */
  recordBytes(count: number, sizes: readonly number[]): number {
    return sizes.find((size) => this.#list.u64([count * size - 8, 8]) !== UNTOUCHED_U64) ?? 0;
  }
}
