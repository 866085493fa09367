/**
 * PCIe traffic from the driver's byte counters, over the time between two readings.
 *
 * @module
 */
import type { GpuSamples } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";

const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** The counters of a GPU, and the two moments between which they were read. */
export interface PcieReading {
  readonly tx: number | bigint | undefined;
  readonly rx: number | bigint | undefined;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** The traffic of one GPU. */
export class PcieRates {
  #last: PcieReading | undefined;

  /** Adds the rates since the last reading. Returns whether the GPU has such counters. */
  add(reading: PcieReading, samples: GpuSamples): boolean {
    if (!isCounter(reading.tx) || !isCounter(reading.rx)) return false;
    const last = this.#last;
    this.#last = reading;
    if (!last) return true;
    for (const direction of ["rx", "tx"] as const) {
      samples.add(METRICS.pcieThroughput, rateBetween(last, reading, direction), { labels: { direction } });
    }
    return true;
  }
}

/**
 * Bytes per second; undefined where the counter fell, or where slow calls leave the interval unknown by more than
 * 5 %.
 */
function rateBetween(last: PcieReading, now: PcieReading, direction: "rx" | "tx"): number | undefined {
  const bytes = Number(BigInt(now[direction] ?? 0) - BigInt(last[direction] ?? 0));
  if (bytes <= 0) return bytes < 0 ? undefined : 0;
  const shortestMs = now.beforeMs - last.afterMs;
  const longestMs = now.afterMs - last.beforeMs;
  const isKnown = shortestMs > 0 && longestMs <= 1.1 * shortestMs;
  return isKnown ? 1000 * bytes / ((shortestMs + longestMs) / 2) : undefined;
}

/** Whether it is a 64-bit counter: one of 32 bits wraps within a second. All bits set means no value. */
function isCounter(value: number | bigint | undefined): boolean {
  return typeof value === "bigint" && value >= 0n && value !== ALL_BITS;
}
