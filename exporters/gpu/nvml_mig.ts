/**
 * The MIG devices of one GPU: compute instances, each in a GPU instance that owns memory and video engines.
 *
 * @see https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
 * @module
 */
import { type MemoryInfo, NvmlDevice } from "./nvml_device.ts";
import { NvmlBuffer, STRUCTS } from "./nvml_structs.ts";

/** More slots than any GPU has: a larger count is garbage. */
const MAX_SLOTS = 64;

/** What a GPU instance has of each engine. */
export interface MigEngines {
  readonly sm: number;
  readonly copy: number;
  readonly decoder: number;
  readonly encoder: number;
  readonly jpeg: number;
  readonly ofa: number;
}

/** What stays as it is as long as the MIG device exists. */
interface MigIdentity {
  readonly uuid: string;
  readonly gpuInstance: number;
  readonly computeInstance: number | undefined;
  /** `NVIDIA A100 MIG 1g.10gb`. */
  readonly name: string | undefined;
  readonly engines: MigEngines | undefined;
}

/** A MIG device. */
export interface MigReading extends MigIdentity {
  /** Memory of the GPU instance, on the first of its MIG devices: the others share it. */
  readonly memory: MemoryInfo | undefined;
}

/** Reads the MIG devices of one GPU. */
export class MigReader {
  readonly #device: NvmlDevice;
  #known: ReadonlyMap<string, MigIdentity> = new Map();

  constructor(device: NvmlDevice) {
    this.#device = device;
  }

  /** The MIG devices in the order of their slots; undefined where MIG is off. */
  async read(): Promise<MigReading[] | undefined> {
    if (!await this.#device.migEnabled()) return undefined;
    const slots = Math.min(await this.#device.u32("nvmlDeviceGetMaxMigDeviceCount") ?? 0, MAX_SLOTS);
    const readings: MigReading[] = [];
    const instances = new Set<number>();
    const places = new Set<string>();
    const found = new Map<string, MigIdentity>();
    for (let slot = 0; slot < slots; slot++) {
      // A handle dies with its instance, so it is fetched each time; the UUID says whether it is the same.
      const device = await this.#device.migDevice(slot);
      const uuid = await device?.uuid();
      if (!device || !uuid) continue;
      const identity = this.#known.get(uuid) ?? await identify(device, uuid);
      const place = `${identity?.gpuInstance} ${identity?.computeInstance}`;
      if (!identity || places.has(place)) continue;
      places.add(place);
      found.set(uuid, identity);
      const memory = instances.has(identity.gpuInstance) ? undefined : await device.memory();
      instances.add(identity.gpuInstance);
      readings.push({ ...identity, memory });
    }
    this.#known = found;
    return readings;
  }
}

async function identify(device: NvmlDevice, uuid: string): Promise<MigIdentity | undefined> {
  const gpuInstance = await device.u32("nvmlDeviceGetGpuInstanceId");
  if (gpuInstance === undefined) return undefined;
  return {
    uuid,
    gpuInstance,
    computeInstance: await device.u32("nvmlDeviceGetComputeInstanceId"),
    name: await device.name(),
    engines: await engines(device),
  };
}

async function engines(device: NvmlDevice): Promise<MigEngines | undefined> {
  const { size, members: m } = STRUCTS.nvmlDeviceAttributes_t;
  const out = new NvmlBuffer(size);
  if (!await device.calls.ok("nvmlDeviceGetAttributes_v2", device.handle, out.bytes)) return undefined;
  return {
    sm: out.u32(m.multiprocessorCount),
    copy: out.u32(m.sharedCopyEngineCount),
    decoder: out.u32(m.sharedDecoderCount),
    encoder: out.u32(m.sharedEncoderCount),
    jpeg: out.u32(m.sharedJpegCount),
    ofa: out.u32(m.sharedOfaCount),
  };
}
