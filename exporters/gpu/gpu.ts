/**
 * One GPU: what it is, and a reading of all its values.
 *
 * @module
 */
import { readEncoder } from "./encoder.ts";
import { addEventReasons, readEventReasons } from "./event_reasons.ts";
import { GpuSamples } from "./gpu_samples.ts";
import { MigReader } from "./mig.ts";
import { CODE, NvmlError } from "./nvml_codes.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { FieldReader, PCIE_BYTES } from "./nvml_fields.ts";
import { STRUCTS } from "./nvml_structs.ts";
import { PcieRates } from "./pcie_rates.ts";
import { CHANGING, fanCalls, FIXED, MEASURED_PCIE, type PlainCall, readPlainValues } from "./plain_values.ts";
import { ProcessReader } from "./processes.ts";
import { RecordList } from "./record_list.ts";

/** What a GPU is. */
export interface GpuIdentity {
  readonly uuid: string;
  readonly name: string | undefined;
  readonly pciBusId: string | undefined;
  /** N of /dev/nvidiaN. */
  readonly minor: number | undefined;
}

/** What to read beyond the GPU itself. */
export interface ReadOptions {
  /** Read the processes too. */
  readonly processes: boolean;
  /** Measure PCIe traffic where the driver has no byte counters, which takes 40 ms. */
  readonly measurePcie: boolean;
  /** @default {() => performance.now()} */
  readonly monotonicMs?: () => number;
}

/** A reading of a GPU. */
export interface GpuReading {
  readonly samples: GpuSamples;
  /** Codes of the calls that failed, by function. */
  readonly failures: ReadonlyMap<string, number>;
}

/** Read once, when the GPU is attached: constant while the driver runs. */
interface Constants {
  readonly identity: GpuIdentity;
  readonly fans: readonly PlainCall[];
  readonly eventReasons: bigint | undefined;
  readonly samples: GpuSamples;
}

/** An attached GPU. */
export class Gpu {
  readonly identity: GpuIdentity;
  /** Its `nvmlDevice_t`, which events carry. */
  readonly handle: bigint;
  readonly #device: NvmlDevice;
  readonly #constants: Constants;
  readonly #plain: readonly PlainCall[];
  readonly #fields: FieldReader;
  readonly #records: RecordList;
  readonly #processes: ProcessReader;
  readonly #mig: MigReader;
  readonly #pcie = new PcieRates();

  private constructor(device: NvmlDevice, constants: Constants) {
    this.identity = constants.identity;
    this.handle = device.handle;
    this.#device = device;
    this.#constants = constants;
    this.#plain = [...CHANGING, ...constants.fans];
    this.#fields = new FieldReader(device);
    this.#records = new RecordList(device);
    this.#processes = new ProcessReader(device, this.#records);
    this.#mig = new MigReader(device);
  }

  /** Reads what does not change. @throws {NvmlError} when the GPU has no UUID or refuses its name */
  static async identify(device: NvmlDevice): Promise<Gpu> {
    const { failures } = device;
    failures.clear();
    const uuid = await device.text("nvmlDeviceGetUUID");
    if (!uuid) throw new NvmlError(failures.get("nvmlDeviceGetUUID") ?? CODE.UNKNOWN, "nvmlDeviceGetUUID");
    const name = await device.text("nvmlDeviceGetName");
    // Read only once, so not while the driver refuses what every user may read.
    if (failures.get("nvmlDeviceGetName") === CODE.NO_PERMISSION) {
      throw new NvmlError(CODE.NO_PERMISSION, "nvmlDeviceGetName");
    }
    const samples = new GpuSamples();
    await readPlainValues(device, FIXED, samples);
    return new Gpu(device, {
      identity: {
        uuid,
        name,
        pciBusId: await device.ask("nvmlDeviceGetPciInfo_v3")
          ? device.out[0].text(...STRUCTS.nvmlPciInfo_t.members.busId)
          : undefined,
        minor: await device.u32("nvmlDeviceGetMinorNumber"),
      },
      fans: await fanCalls(device),
      eventReasons: await readEventReasons(device, "Supported"),
      samples,
    });
  }

  /** Reads what changes. @throws {NvmlError} when the GPU or the driver is gone, or nothing can be read */
  async read(
    { processes, measurePcie, monotonicMs = () => performance.now() }: ReadOptions,
  ): Promise<GpuReading> {
    const device = this.#device;
    const { failures } = device;
    failures.clear();
    const samples = this.#constants.samples.copy();
    const answered = await readPlainValues(device, this.#plain, samples);
    addEventReasons(samples, await readEventReasons(device, "Current"), this.#constants.eventReasons);
    const beforeMs = monotonicMs();
    const fields = await this.#fields.read(samples);
    const [tx, rx] = [fields.get(PCIE_BYTES.tx), fields.get(PCIE_BYTES.rx)];
    const isCounted = this.#pcie.add({ tx, rx, beforeMs, afterMs: monotonicMs() }, samples);
    if (measurePcie && !isCounted) await readPlainValues(device, MEASURED_PCIE, samples);
    await readEncoder(device, this.#records, samples);
    if (processes) await this.#processes.read(samples);
    const mig = await this.#mig.read(samples);
    const [failure] = failures;
    if (failure && answered === 0) throw new NvmlError(failure[1], failure[0]);
    return { samples, failures: mig ? withoutPrivileged(failures) : new Map(failures) };
  }
}

/** With MIG on, only administrators may read the memory of the whole GPU. */
function withoutPrivileged(failures: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map(
    [...failures].filter(([name, code]) => code !== CODE.NO_PERMISSION || !name.includes("MemoryInfo")),
  );
}
