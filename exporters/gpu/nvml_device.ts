/**
 * The calls about one GPU, or one MIG device of it.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
 * @module
 */
import { type NvmlArguments, NvmlCalls, type NvmlFunction } from "./nvml_calls.ts";
import { AT_START_4, AT_START_8, NvmlBuffer } from "./nvml_structs.ts";
import { NVML_SYMBOLS } from "./nvml_symbols.ts";

/** `NVML_DEVICE_NAME_V2_BUFFER_SIZE` and `NVML_DEVICE_UUID_V2_BUFFER_SIZE`. */
const TEXT_BYTES = 96;

/** One GPU, or one MIG device. Its calls are serialised, so they share buffers. */
export class NvmlDevice extends NvmlCalls {
  /** `nvmlDevice_t`; events carry it too. */
  readonly handle: bigint;
  /** Results of {@linkcode ask}: one buffer for each pointer parameter, in order. */
  readonly out: readonly [NvmlBuffer, NvmlBuffer, NvmlBuffer] = [
    new NvmlBuffer(TEXT_BYTES),
    new NvmlBuffer(8),
    new NvmlBuffer(8),
  ];

  /** Takes lane and failures from `calls`: a MIG device shares those of its GPU. */
  constructor({ symbols, lane, failures }: NvmlCalls, handle: bigint) {
    super(symbols, lane, failures);
    this.handle = handle;
  }

  /**
   * Attaches to a GPU. May take seconds where nothing else holds the driver.
   *
   * @throws {NvmlError} when the GPU cannot be used
   */
  static async attach(calls: NvmlCalls, index: number): Promise<NvmlDevice> {
    const out = new NvmlBuffer(8);
    await calls.must("nvmlDeviceGetHandleByIndex_v2", index, out.bytes);
    return new NvmlDevice(calls, out.u64(AT_START_8));
  }

  /**
   * Calls a function with the handle, {@linkcode out} for its pointers and `args` for its other parameters.
   * Returns whether it succeeded, as {@linkcode NvmlCalls.ok} does.
   */
  ask(name: NvmlFunction, args: readonly number[] = []): Promise<boolean> {
    let [outs, others] = [0, 0];
    const all = NVML_SYMBOLS[name].parameters.map((type, index) =>
      index === 0 ? this.handle : type === "buffer" ? this.out[outs++]?.bytes : args[others++]
    );
    return this.ok(name, ...all as unknown as NvmlArguments<typeof name>);
  }

  /** The first result of a function, of 4 bytes. */
  async u32(name: NvmlFunction, ...args: number[]): Promise<number | undefined> {
    return await this.ask(name, args) ? this.out[0].u32(AT_START_4) : undefined;
  }

  /** The result of a function that writes text. */
  async text(name: "nvmlDeviceGetName" | "nvmlDeviceGetUUID"): Promise<string | undefined> {
    return await this.ask(name, [TEXT_BYTES]) ? this.out[0].text() : undefined;
  }
}
