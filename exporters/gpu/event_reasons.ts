/**
 * What holds a GPU's clocks down, one bit for each reason.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
 * @module
 */
import type { GpuSamples } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { AT_START_8 } from "./nvml_structs.ts";

/** Garbage: most bits have no meaning. */
const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** The bits, lowest first. */
const REASONS = [
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

/** The bits set now, or those that the GPU can set; undefined where it reports neither. */
export async function readEventReasons(
  device: NvmlDevice,
  which: "Current" | "Supported",
): Promise<bigint | undefined> {
  // Since NVML 12.2, and the name before.
  const newer = `nvmlDeviceGet${which}ClocksEventReasons` as const;
  const name = device.has(newer) ? newer : `nvmlDeviceGet${which}ClocksThrottleReasons` as const;
  return await device.ask(name) ? device.out[0].u64(AT_START_8) : undefined;
}

/** Adds a sample for each reason that the GPU can give. */
export function addEventReasons(
  samples: GpuSamples,
  now: bigint | undefined,
  supported: bigint = ALL_BITS,
): void {
  if (now === undefined) return;
  for (const [bit, reason] of REASONS.entries()) {
    const mask = 1n << BigInt(bit);
    if (!(supported & mask)) continue;
    samples.add(METRICS.eventReason, now === ALL_BITS ? NaN : now & mask ? 1 : 0, { labels: { reason } });
  }
}
