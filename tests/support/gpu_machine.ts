/**
 * Machines of a few GPUs for the stand-in library, and their values on pages.
 *
 * @module
 */
import { sampleOf } from "./gpu_exporter.ts";
import { needs } from "./programs.ts";

/** Options of a test that opens the stand-in library in this process, where it stays open on purpose. */
export const STUB_OPTIONS = { ...needs("cc"), sanitizeResources: false } as const;

/** The script of a machine whose GPU N has the UUID `GPU-N` and draws N + 1 watts; `extra` lines outdo others. */
export function machine(gpus: number, extra = ""): string {
  const lines = ["sys max_wait_ms 20", `sys nvmlDeviceGetCount_v2 ${gpus}`];
  for (let gpu = 0; gpu < gpus; gpu++) {
    lines.push(
      `gpu${gpu} nvmlDeviceGetUUID GPU-${gpu}`,
      `gpu${gpu} nvmlDeviceGetPowerUsage ${1000 * (gpu + 1)}`,
    );
  }
  return `${lines.join("\n")}\ngpu* nvmlDeviceGetName Card\n${extra}`;
}

/** Its power on a page, in watts. */
export function power(page: string, gpu: number): number | undefined {
  return sampleOf(page, `gpu_power_watts{gpu="${gpu}",uuid="GPU-${gpu}"}`);
}

/** Its `gpu_up` on a page. */
export function up(page: string, gpu: number, uuid = `GPU-${gpu}`): number | undefined {
  return sampleOf(page, `gpu_up{gpu="${gpu}",uuid="${uuid}"}`);
}
