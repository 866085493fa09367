/**
 * The NVML calls that fill a list: NVENC sessions, processes, what each process uses of the engines.
 *
 * The caller brings memory for so many records and gets the number written, or the code that asks for more. No
 * number that comes back is trusted further than the memory reaches.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
 * @module
 */
import type { NvmlCalls, NvmlFunction } from "./nvml_calls.ts";
import { CODE } from "./nvml_codes.ts";
import { AT_START_4, NvmlBuffer, STRUCTS } from "./nvml_structs.ts";

/** The largest record of any list, in bytes. */
const MAX_RECORD_BYTES = 32;
const FIRST_CAPACITY = 32;
const MAX_CAPACITY = 4096;
/** No Linux pid is larger: PID_MAX_LIMIT. */
const MAX_PID = 4_194_304;
/** Memory is filled with this before a process list is asked for. */
const UNTOUCHED = 0xa5;
const UNTOUCHED_U64 = 0xa5a5a5a5a5a5a5a5n;
const NOT_AVAILABLE = 0xffffffffffffffffn;

/** A running NVENC session. */
export interface EncoderSession {
  readonly id: number;
  readonly pid: number;
  /** Index in the codecs, or another number. */
  readonly codec: number;
  readonly width: number;
  readonly height: number;
  readonly averageFps: number;
  readonly averageLatencyMicroseconds: number;
}

/** A process with memory on the GPU. */
export interface GpuProcess {
  readonly pid: number;
  /** Bytes; undefined where the driver does not tell. */
  readonly memoryBytes: bigint | undefined;
}

/** What a process used of the engines in one sample, in percent. */
export interface ProcessUtilization {
  readonly pid: number;
  readonly timestampMicroseconds: bigint;
  readonly sm: number;
  readonly memory: number;
  readonly encoder: number;
  readonly decoder: number;
}

/** The lists of one GPU; their memory is kept from call to call. */
export class ListReader {
  readonly #calls: NvmlCalls;
  readonly #handle: bigint;
  readonly #count = new NvmlBuffer(4);
  #capacity = FIRST_CAPACITY;
  #list = new NvmlBuffer(FIRST_CAPACITY * MAX_RECORD_BYTES);

  constructor(calls: NvmlCalls, handle: bigint) {
    this.#calls = calls;
    this.#handle = handle;
  }

  /** The running NVENC sessions. */
  async encoderSessions(): Promise<EncoderSession[] | undefined> {
    const { size, members: m } = STRUCTS.nvmlEncoderSessionInfo_t;
    const name = "nvmlDeviceGetEncoderSessions";
    const n = await this.#fill(
      name,
      () => this.#calls.code(name, this.#handle, this.#count.bytes, this.#list.bytes),
    );
    if (n === undefined) return undefined;
    const list = this.#list;
    return Array.from({ length: n }, (_, i) => ({
      id: list.u32(m.sessionId, i * size),
      pid: list.u32(m.pid, i * size),
      codec: list.u32(m.codecType, i * size),
      width: list.u32(m.hResolution, i * size),
      height: list.u32(m.vResolution, i * size),
      averageFps: list.u32(m.averageFps, i * size),
      averageLatencyMicroseconds: list.u32(m.averageLatency, i * size),
    }));
  }

  /** The processes with a context of this kind. */
  async processes(kind: "Compute" | "Graphics"): Promise<GpuProcess[] | undefined> {
    const names = ["_v3", "_v2", ""].map((version) =>
      `nvmlDeviceGet${kind}RunningProcesses${version}` as `nvmlDeviceGet${typeof kind}RunningProcesses`
    );
    const name = names.find((name) => this.#calls.has(name));
    if (!name) return undefined;
    const n = await this.#fill(
      name,
      () => this.#calls.code(name, this.#handle, this.#count.bytes, this.#list.bytes),
    );
    if (!n) return n === 0 ? [] : undefined;
    const size = this.#recordBytes(n);
    const { pid, usedGpuMemory } = STRUCTS.nvmlProcessInfo_v1_t.members;
    const processes = Array.from({ length: n }, (_, i) => {
      const used = this.#list.u64(usedGpuMemory, i * size);
      return { pid: this.#list.u32(pid, i * size), memoryBytes: used === NOT_AVAILABLE ? undefined : used };
    });
    if (processes.every(({ pid }) => pid > 0 && pid <= MAX_PID)) return processes;
    this.#calls.failures.set(name, CODE.unknown);
    return undefined;
  }

  /** What processes used of the engines, sample by sample, since a time in microseconds since 1970. */
  async processUtilization(sinceMicroseconds: bigint): Promise<ProcessUtilization[] | undefined> {
    const { size, members: m } = STRUCTS.nvmlProcessUtilizationSample_t;
    const name = "nvmlDeviceGetProcessUtilization";
    const n = await this.#fill(
      name,
      () => this.#calls.code(name, this.#handle, this.#list.bytes, this.#count.bytes, sinceMicroseconds),
    );
    if (n === undefined) return undefined;
    const list = this.#list;
    return Array.from({ length: n }, (_, i) => ({
      pid: list.u32(m.pid, i * size),
      timestampMicroseconds: list.u64(m.timeStamp, i * size),
      sm: list.u32(m.smUtil, i * size),
      memory: list.u32(m.memUtil, i * size),
      encoder: list.u32(m.encUtil, i * size),
      decoder: list.u32(m.decUtil, i * size),
    }));
  }

  /** Calls until the list fits; how many records it has then. */
  async #fill(name: NvmlFunction, call: () => Promise<number>): Promise<number | undefined> {
    while (true) {
      this.#list.bytes.fill(UNTOUCHED);
      this.#count.setU32(AT_START_4, this.#capacity);
      const code = await call();
      const count = this.#count.u32(AT_START_4);
      // Nothing was sampled since, or nothing runs.
      if (code === CODE.notFound) return 0;
      if (code === CODE.insufficientSize && this.#capacity < MAX_CAPACITY) {
        // A few more than asked for, since the list moves.
        this.#capacity = Math.min(Math.max(count + 8, this.#capacity * 2), MAX_CAPACITY);
        this.#list = new NvmlBuffer(this.#capacity * MAX_RECORD_BYTES);
        continue;
      }
      if (!this.#calls.judge(name, code)) return undefined;
      if (count <= this.#capacity) return count;
      this.#calls.failures.set(name, CODE.unknown);
      return undefined;
    }
  }

  /**
   * How long the records are that were just written. The names do not tell: drivers 535.43.02 to 535.86.05 write
   * 32 bytes through `_v3`, the first version 16. What was touched does.
   */
  #recordBytes(count: number): number {
    const sizes = [
      STRUCTS.nvmlProcessDetail_v1_t.size,
      STRUCTS.nvmlProcessInfo_t.size,
    ];
    const touched = sizes.find((size) => this.#list.u64([0, 8], count * size - 8) !== UNTOUCHED_U64);
    return touched ?? STRUCTS.nvmlProcessInfo_v1_t.size;
  }
}
