/**
 * What each process uses of a GPU: memory, and shares of its engines.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
 * @module
 */
import type { GpuSamples } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";
import { CODE } from "./nvml_codes.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { STRUCTS } from "./nvml_structs.ts";
import type { RecordList } from "./record_list.ts";

/** Processes listed for one GPU at most. */
const MAX_PROCESSES = 64;
/** No Linux pid is larger: PID_MAX_LIMIT. */
const MAX_PID = 4_194_304;
/** `NVML_VALUE_NOT_AVAILABLE`. */
const NOT_AVAILABLE = 0xffff_ffff_ffff_ffffn;
/** How far back the first look at the utilization goes. */
const FIRST_WINDOW_MICROSECONDS = 1_000_000n;

/** A process with memory on the GPU. */
interface GpuProcess {
  readonly pid: number;
  readonly type: "compute" | "graphics" | "compute_graphics";
  /** Undefined where the driver does not report it. */
  readonly bytes: bigint | undefined;
}

/** Reads the processes of one GPU. */
export class ProcessReader {
  readonly #device: NvmlDevice;
  readonly #records: RecordList;
  /** Time of the newest utilization sample seen. */
  #seenMicroseconds: bigint | undefined;

  constructor(device: NvmlDevice, records: RecordList) {
    this.#device = device;
    this.#records = records;
  }

  /** Adds the memory of the processes, and the newest utilization of each since the last reading. */
  async read(samples: GpuSamples): Promise<void> {
    await this.#addUtilization(samples);
    const processes = mergeByPid([...await this.#list("Compute"), ...await this.#list("Graphics")]);
    samples.add(METRICS.processes, processes.length);
    const largest = processes
      .sort(({ pid: left, bytes: a = 0n }, { pid: right, bytes: b = 0n }) =>
        a === b ? left - right : a < b ? 1 : -1
      )
      .slice(0, MAX_PROCESSES)
      .sort((left, right) => left.pid - right.pid);
    for (const { pid, type, bytes } of largest) {
      samples.add(METRICS.processMemory, bytes, { labels: { pid: String(pid), type } });
    }
  }

  /** The processes with a context of this kind. */
  async #list(kind: "Compute" | "Graphics"): Promise<GpuProcess[]> {
    const names = ["_v3", "_v2", ""].map((version) =>
      `nvmlDeviceGet${kind}RunningProcesses${version}` as `nvmlDeviceGet${typeof kind}RunningProcesses`
    );
    const device = this.#device;
    const name = names.find((name) => device.has(name));
    if (!name) return [];
    const count = await this.#records.fill(
      name,
      (count, list) => device.code(name, device.handle, count, list),
    );
    if (!count) return [];
    // Not known from the name: drivers 535.43.02 to 535.86.05 write 32 bytes through _v3.
    const size = this.#records.recordBytes(count, [
      STRUCTS.nvmlProcessDetail_v1_t.size,
      STRUCTS.nvmlProcessInfo_t.size,
    ]) || STRUCTS.nvmlProcessInfo_v1_t.size;
    const { pid, usedGpuMemory } = STRUCTS.nvmlProcessInfo_v1_t.members;
    const processes = Array.from({ length: count }, (_, index): GpuProcess => {
      const bytes = this.#records.list.u64(usedGpuMemory, index * size);
      return {
        pid: this.#records.list.u32(pid, index * size),
        type: kind === "Compute" ? "compute" : "graphics",
        bytes: bytes === NOT_AVAILABLE ? undefined : bytes,
      };
    });
    if (processes.every(({ pid }) => pid > 0 && pid <= MAX_PID)) return processes;
    device.failures.set(name, CODE.UNKNOWN);
    return [];
  }

  async #addUtilization(samples: GpuSamples): Promise<void> {
    const nowMicroseconds = BigInt(Date.now()) * 1000n;
    const since = this.#seenMicroseconds ?? nowMicroseconds - FIRST_WINDOW_MICROSECONDS;
    const name = "nvmlDeviceGetProcessUtilization";
    const device = this.#device;
    const count = await this.#records.fill(
      name,
      (count, list) => device.code(name, device.handle, list, count, since),
    ) ?? 0;
    const { size, members: m } = STRUCTS.nvmlProcessUtilizationSample_t;
    const { list } = this.#records;
    const newest = new Map<number, { at: number; time: bigint }>();
    for (let at = 0; at < count * size; at += size) {
      const [pid, time] = [list.u32(m.pid, at), list.u64(m.timeStamp, at)];
      if (time >= (newest.get(pid)?.time ?? 0n)) newest.set(pid, { at, time });
      // A time that lies ahead would hide the samples until then.
      if (time > (this.#seenMicroseconds ?? 0n) && time <= nowMicroseconds) this.#seenMicroseconds = time;
    }
    const listed = [...newest].sort(([left], [right]) => left - right).slice(0, MAX_PROCESSES);
    for (const [pid, { at }] of listed) {
      const engines = { sm: m.smUtil, memory: m.memUtil, encoder: m.encUtil, decoder: m.decUtil };
      for (const [engine, member] of Object.entries(engines)) {
        const percent = list.u32(member, at);
        if (percent > 100) continue; // Some drivers leave it unset.
        samples.add(METRICS.processUtilization, percent, { labels: { pid: String(pid), engine }, unit: "%" });
      }
    }
  }
}

/** In both lists a process has the same memory; twice in one it is in two MIG instances. */
function mergeByPid(processes: readonly GpuProcess[]): GpuProcess[] {
  const byPid = new Map<number, GpuProcess>();
  for (const process of processes) {
    const { pid, type, bytes } = process;
    const known = byPid.get(pid);
    if (!known) byPid.set(pid, process);
    else if (known.type !== type) {
      byPid.set(pid, { ...known, type: "compute_graphics", bytes: known.bytes ?? bytes });
    } else {
      // A part is not the sum.
      const isKnown = known.bytes !== undefined && bytes !== undefined;
      byPid.set(pid, { ...known, bytes: isKnown ? known.bytes + bytes : undefined });
    }
  }
  return [...byPid.values()];
}
