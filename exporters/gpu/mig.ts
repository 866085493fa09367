/**
 * The MIG devices of one GPU: compute instances, each in a GPU instance that owns memory and video engines.
 *
 * @see https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
 * @module
 */
import type { GpuSamples } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";
import { CODE } from "./nvml_codes.ts";
import { NvmlDevice } from "./nvml_device.ts";
import { AT_START_8, STRUCTS } from "./nvml_structs.ts";
import { memoryCall, readPlainValues } from "./plain_values.ts";

/** More slots than any GPU has: a larger count is garbage. */
const MAX_SLOTS = 64;

const MEMORY = {
  total: METRICS.migMemoryTotal,
  used: METRICS.migMemoryUsed,
  free: METRICS.migMemoryFree,
  reserved: METRICS.migMemoryReserved,
};

/** What does not change while the MIG device exists. */
interface MigDevice {
  readonly gpuInstance: number;
  readonly computeInstance: number | undefined;
  /** `1g.10gb`; empty where its name does not have it. */
  readonly profile: string;
  /** How many of each engine its GPU instance has. */
  readonly engines: Readonly<Record<string, number>>;
}

/** Reads the MIG devices of one GPU. */
export class MigReader {
  readonly #gpu: NvmlDevice;
  #known: ReadonlyMap<string, MigDevice> = new Map();

  constructor(gpu: NvmlDevice) {
    this.#gpu = gpu;
  }

  /** Adds the MIG devices in the order of their slots. Returns whether MIG is on. */
  async read(samples: GpuSamples): Promise<boolean> {
    if (await this.#gpu.u32("nvmlDeviceGetMigMode") !== 1) return false;
    const slots = Math.min(await this.#gpu.u32("nvmlDeviceGetMaxMigDeviceCount") ?? 0, MAX_SLOTS);
    const instances = new Set<number>();
    const places = new Set<string>();
    const found = new Map<string, MigDevice>();
    for (let slot = 0; slot < slots; slot++) {
      // A handle dies with its instance, so it is fetched each time; the UUID identifies the device.
      const handle = await this.#deviceIn(slot);
      const uuid = await handle?.text("nvmlDeviceGetUUID");
      if (!handle || !uuid) continue;
      const device = this.#known.get(uuid) ?? await identify(handle);
      const place = `${device?.gpuInstance} ${device?.computeInstance}`;
      if (!device || places.has(place)) continue;
      places.add(place);
      found.set(uuid, device);
      const mig = String(device.gpuInstance);
      const labels = { mig, compute_instance: String(device.computeInstance ?? "") };
      samples.add(METRICS.migInfo, 1, { labels: { ...labels, mig_uuid: uuid, profile: device.profile } });
      for (const [engine, count] of Object.entries(device.engines)) {
        samples.add(METRICS.migEngines, count, { labels: { ...labels, engine } });
      }
      // The MIG devices of a GPU instance share its memory.
      if (!instances.has(device.gpuInstance)) {
        await readPlainValues(handle, [memoryCall(MEMORY, { mig })], samples);
      }
      instances.add(device.gpuInstance);
    }
    this.#known = found;
    return true;
  }

  /** The MIG device in a slot; undefined when it is empty. */
  async #deviceIn(slot: number): Promise<NvmlDevice | undefined> {
    const gpu = this.#gpu;
    const [result] = gpu.out;
    const name = "nvmlDeviceGetMigDeviceHandleByIndex";
    const code = await gpu.code(name, gpu.handle, slot, result.bytes);
    const isEmpty = code === CODE.NOT_FOUND || code === CODE.INVALID_ARGUMENT;
    return !isEmpty && gpu.judge(name, code) ? new NvmlDevice(gpu, result.u64(AT_START_8)) : undefined;
  }
}

async function identify(device: NvmlDevice): Promise<MigDevice | undefined> {
  const gpuInstance = await device.u32("nvmlDeviceGetGpuInstanceId");
  if (gpuInstance === undefined) return undefined;
  const computeInstance = await device.u32("nvmlDeviceGetComputeInstanceId");
  // "NVIDIA A100-SXM4-40GB MIG 1g.5gb"
  const profile = (await device.text("nvmlDeviceGetName"))?.match(/\bMIG (\S+)/)?.[1] ?? "";
  const { members: m } = STRUCTS.nvmlDeviceAttributes_t;
  const [out] = device.out;
  const engines = await device.ask("nvmlDeviceGetAttributes_v2")
    ? {
      sm: out.u32(m.multiprocessorCount),
      copy: out.u32(m.sharedCopyEngineCount),
      decoder: out.u32(m.sharedDecoderCount),
      encoder: out.u32(m.sharedEncoderCount),
      jpeg: out.u32(m.sharedJpegCount),
      ofa: out.u32(m.sharedOfaCount),
    }
    : {};
  return { gpuInstance, computeInstance, profile, engines };
}
