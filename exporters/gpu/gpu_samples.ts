/**
 * Turns one GPU's reading into samples, in base units. What a metric's range does not hold is left out.
 *
 * @module
 */
import type { Snapshot } from "../../lib/exposition.ts";
import type { GpuIdentity, GpuReading, ProcessReading } from "./gpu_reading.ts";
import { type GpuMetric, METRICS } from "./metrics.ts";
import type { NvmlVersions } from "./nvml.ts";
import { CLOCKS, CODECS, ENGINES, type MemoryInfo } from "./nvml_device.ts";
import type { XidCount } from "./xid_watcher.ts";

/** Processes listed for one GPU at most. */
export const MAX_PROCESSES = 64;
/** `NVML_PSTATE_UNKNOWN`. */
const PERFORMANCE_STATE_UNKNOWN = 32;
/** A mask with every bit set is none: most of them mean nothing. */
const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** Bits of the clocks' event reasons, lowest first. */
const EVENT_REASONS = [
  "gpu_idle",
  "applications_clocks_setting",
  "sw_power_cap",
  "hw_slowdown",
  "sync_boost",
  "sw_thermal_slowdown",
  "hw_thermal_slowdown",
  "hw_power_brake_slowdown",
  "display_clock_setting",
] as const;

/** Labels of a GPU. */
export type GpuLabels = { readonly gpu: string; readonly uuid: string };

/** Takes the samples of one GPU. */
export class GpuSamples {
  readonly #snapshot: Snapshot;
  readonly #labels: GpuLabels;
  readonly #leftOut = new Set<string>();

  constructor(snapshot: Snapshot, labels: GpuLabels) {
    this.#snapshot = snapshot;
    this.#labels = labels;
  }

  /** Names of the metrics with a value that cannot be. */
  get leftOut(): readonly string[] {
    return [...this.#leftOut];
  }

  /** Adds what the GPU is. */
  addIdentity({ name, pciBusId, minor }: GpuIdentity, { driver, nvml, cuda }: NvmlVersions): void {
    this.#add(METRICS.info, 1, {
      name: name ?? "",
      pci_bus_id: pciBusId ?? "",
      minor: minor === undefined ? "" : String(minor),
      driver_version: driver ?? "",
      nvml_version: nvml ?? "",
      cuda_version: cuda ?? "",
    });
  }

  /** Adds the Xids counted so far. */
  addXids(counts: readonly XidCount[]): void {
    for (const { xid, count, lastMs } of counts) {
      this.#add(METRICS.xidErrors, count, { xid: String(xid) });
      this.#add(METRICS.xidLast, lastMs / 1000, { xid: String(xid) });
    }
  }

  /** Adds the values of a reading. */
  addReading(reading: GpuReading): void {
    this.#addPowerAndHeat(reading);
    this.#addUtilization(reading);
    this.#addMemory(reading);
    this.#addClocks(reading);
    this.#addPcie(reading);
    this.#addFaults(reading);
    this.#addEncoder(reading);
    if (reading.processes) this.#addProcesses(reading.processes);
    this.#addMig(reading);
  }

  #add(
    metric: GpuMetric,
    value: number | bigint | undefined,
    labels: Record<string, string> = {},
  ): void {
    if (value === undefined) return;
    const [least, most] = metric.range;
    if (value >= least && value <= most) this.#snapshot.add(metric, value, { ...this.#labels, ...labels });
    else this.#leftOut.add(metric.name);
  }

  #addPowerAndHeat(reading: GpuReading): void {
    const { energy, memoryTemperature } = reading.fields;
    this.#add(METRICS.power, scale(reading.powerMilliwatts, 1000));
    this.#add(METRICS.powerLimit, scale(reading.powerLimitMilliwatts, 1000));
    this.#add(METRICS.energy, scale(energy, 1000));
    this.#add(METRICS.temperature, reading.temperatureCelsius, { sensor: "gpu" });
    // No card in use is at 0 °C: drivers answer that for a sensor that is not there.
    this.#add(METRICS.temperature, memoryTemperature || undefined, { sensor: "memory" });
    for (const [fan, percent] of reading.fanPercent.entries()) {
      this.#add(METRICS.fan, scale(percent, 100), { fan: String(fan) });
    }
  }

  #addUtilization({ utilizationPercent, enginePercent }: GpuReading): void {
    this.#add(METRICS.utilization, scale(utilizationPercent?.gpu, 100));
    this.#add(METRICS.memoryUtilization, scale(utilizationPercent?.memory, 100));
    for (const engine of Object.keys(ENGINES) as (keyof typeof ENGINES)[]) {
      this.#add(METRICS[engine], scale(enginePercent[engine], 100));
    }
  }

  #addMemory({ memory }: GpuReading): void {
    if (!memory) return;
    this.#add(METRICS.memoryTotal, memory.total);
    this.#add(METRICS.memoryUsed, partOf(memory, "used"));
    this.#add(METRICS.memoryFree, partOf(memory, "free"));
    this.#add(METRICS.memoryReserved, partOf(memory, "reserved"));
  }

  #addClocks(reading: GpuReading): void {
    for (const [index, clock] of CLOCKS.entries()) {
      this.#add(METRICS.clock, megahertz(reading.clockMegahertz[index]), { clock });
      this.#add(METRICS.clockMax, megahertz(reading.clockMaxMegahertz[index]), { clock });
    }
    const { performanceState: state, eventReasons: now, eventReasonsSupported: supported = ALL_BITS } =
      reading;
    this.#add(METRICS.performanceState, state === PERFORMANCE_STATE_UNKNOWN ? undefined : state);
    if (now === undefined) return;
    if (now === ALL_BITS) {
      this.#leftOut.add(METRICS.eventReason.name);
      return;
    }
    for (const [bit, reason] of EVENT_REASONS.entries()) {
      const mask = 1n << BigInt(bit);
      if (supported & mask) this.#add(METRICS.eventReason, now & mask ? 1 : 0, { reason });
    }
  }

  #addPcie(reading: GpuReading): void {
    this.#add(METRICS.pcieThroughput, reading.pcieRates.rx, { direction: "rx" });
    this.#add(METRICS.pcieThroughput, reading.pcieRates.tx, { direction: "tx" });
    this.#add(METRICS.pcieLinkGeneration, reading.pcieLinkGeneration);
    this.#add(METRICS.pcieLinkWidth, reading.pcieLinkWidth);
    this.#add(METRICS.pcieReplays, reading.fields.pcieReplays);
  }

  #addFaults({ fields }: GpuReading): void {
    const ecc = (value: number | bigint | undefined, kind: string, scope: string): void =>
      this.#add(METRICS.eccErrors, value, { kind, scope });
    ecc(fields.eccCorrectedVolatile, "corrected", "volatile");
    ecc(fields.eccCorrectedAggregate, "corrected", "aggregate");
    ecc(fields.eccUncorrectedVolatile, "uncorrected", "volatile");
    ecc(fields.eccUncorrectedAggregate, "uncorrected", "aggregate");
    this.#add(METRICS.remappedRows, fields.remappedRowsCorrectable, { kind: "correctable" });
    this.#add(METRICS.remappedRows, fields.remappedRowsUncorrectable, { kind: "uncorrectable" });
    this.#add(METRICS.rowRemappingPending, fields.rowRemappingPending);
    this.#add(METRICS.rowRemappingFailed, fields.rowRemappingFailed);
  }

  #addEncoder({ encoder, encoderSessions, encoderCapacityPercent }: GpuReading): void {
    this.#add(METRICS.encoderSessions, encoder?.sessions ?? encoderSessions?.length);
    if (encoder?.sessions) {
      this.#add(METRICS.encoderFps, encoder.averageFps);
      this.#add(METRICS.encoderLatency, encoder.averageLatencyMicroseconds / 1e6);
    }
    const sessions = [...encoderSessions ?? []].sort((left, right) =>
      left.id - right.id || left.pid - right.pid
    );
    for (const session of distinct(sessions, ({ id, pid }) => `${id} ${pid}`)) {
      const labels = {
        session: String(session.id),
        pid: String(session.pid),
        codec: CODECS[session.codec] ?? "unknown",
        width: String(session.width),
        height: String(session.height),
      };
      this.#add(METRICS.sessionFps, session.averageFps, labels);
      this.#add(METRICS.sessionLatency, session.averageLatencyMicroseconds / 1e6, labels);
    }
    for (const [index, codec] of CODECS.entries()) {
      this.#add(METRICS.encoderCapacity, scale(encoderCapacityPercent[index], 100), { codec });
    }
  }

  #addProcesses({ compute, graphics, utilization }: ProcessReading): void {
    const byPid = new Map<number, { type: string; bytes: bigint | undefined }>();
    for (const [type, list] of [["compute", compute], ["graphics", graphics]] as const) {
      for (const { pid, memoryBytes: bytes } of list) {
        const known = byPid.get(pid);
        // In both lists a process has the same memory; twice in one it is in two MIG instances.
        if (!known) byPid.set(pid, { type, bytes });
        else if (known.type === type) known.bytes = sumOf(known.bytes, bytes);
        else byPid.set(pid, { type: "compute_graphics", bytes: known.bytes ?? bytes });
      }
    }
    this.#add(METRICS.processes, byPid.size);
    const largest = [...byPid]
      .sort(([left, { bytes: a = 0n }], [right, { bytes: b = 0n }]) =>
        a === b ? left - right : a < b ? 1 : -1
      )
      .slice(0, MAX_PROCESSES)
      .sort(([left], [right]) => left - right);
    for (const [pid, { type, bytes }] of largest) {
      this.#add(METRICS.processMemory, bytes, { pid: String(pid), type });
    }
    const samples = [...utilization].sort((left, right) => left.pid - right.pid).slice(0, MAX_PROCESSES);
    for (const sample of samples) {
      for (const engine of ["sm", "memory", "encoder", "decoder"] as const) {
        if (sample[engine] > 100) continue; // Some drivers leave it unset.
        this.#add(METRICS.processUtilization, sample[engine] / 100, { pid: String(sample.pid), engine });
      }
    }
  }

  #addMig({ mig = [] }: GpuReading): void {
    for (const { gpuInstance, computeInstance, uuid, name, memory, engines } of mig) {
      const instance = { mig: String(gpuInstance) };
      const device = { ...instance, compute_instance: String(computeInstance ?? "") };
      this.#add(METRICS.migInfo, 1, {
        ...device,
        mig_uuid: uuid,
        profile: name?.match(/\bMIG (\S+)/)?.[1] ?? "",
      });
      if (memory) {
        this.#add(METRICS.migMemoryTotal, memory.total, instance);
        this.#add(METRICS.migMemoryUsed, partOf(memory, "used"), instance);
        this.#add(METRICS.migMemoryFree, partOf(memory, "free"), instance);
        this.#add(METRICS.migMemoryReserved, partOf(memory, "reserved"), instance);
      }
      for (const [engine, count] of Object.entries(engines ?? {})) {
        this.#add(METRICS.migEngines, count, { ...device, engine });
      }
    }
  }
}

/** A part of the memory; NaN when it is more than the whole. */
function partOf(memory: MemoryInfo, part: "used" | "free" | "reserved"): bigint | number | undefined {
  const bytes = memory[part];
  return bytes !== undefined && bytes > memory.total ? NaN : bytes;
}

/** Undefined unless both are known: a part is not the sum. */
function sumOf(left: bigint | undefined, right: bigint | undefined): bigint | undefined {
  return left === undefined || right === undefined ? undefined : left + right;
}

function scale(value: number | bigint | undefined, divisor: number): number | undefined {
  return value === undefined ? undefined : Number(value) / divisor;
}

function megahertz(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1e6;
}

/** Drops items whose key came before: no two series may be the same. */
function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}
