/**
 * NVML's calls about the library and the machine: start, stop, versions, number of GPUs.
 *
 * NVML: https://docs.nvidia.com/deploy/nvml-api/
 *
 * @module
 */
import { NvmlCalls } from "./nvml_calls.ts";
import { CODE, NvmlError } from "./nvml_codes.ts";
import { AT_START_4, NvmlBuffer } from "./nvml_structs.ts";

const VERSION_BYTES = 80;
/** More GPUs than any machine has: a larger count is garbage. */
const MAX_GPUS = 256;

/** The driver's versions. */
export interface NvmlVersions {
  readonly driver: string | undefined;
  readonly nvml: string | undefined;
  /** Newest CUDA that the driver runs: `13.2`. */
  readonly cuda: string | undefined;
}

/** The library; every call of one object goes through one lane. */
export class Nvml extends NvmlCalls {
  readonly #out = new NvmlBuffer(VERSION_BYTES);
  /** Starts to be ended: each that succeeded, even after the caller gave up on it. */
  #starts = 0;

  /** Starts NVML; attaches to no GPU yet. @throws {NvmlError} when there is no working driver */
  async init(): Promise<void> {
    const code = await this.lane.call("nvmlInit_v2", async () => {
      const code = await this.symbols.nvmlInit_v2?.() ?? CODE.FUNCTION_NOT_FOUND;
      if (code === CODE.SUCCESS) this.#starts++;
      return code;
    });
    if (code !== CODE.SUCCESS) throw new NvmlError(code, "nvmlInit_v2");
  }

  /** Ends what {@linkcode init} started. No other call may be inside the library. */
  async shutdown(): Promise<void> {
    for (; this.#starts > 0; this.#starts--) await this.code("nvmlShutdown");
  }

  /** Reads the driver's versions. */
  async versions(): Promise<NvmlVersions> {
    const cuda = await this.ok("nvmlSystemGetCudaDriverVersion", this.#out.bytes)
      ? this.#out.i32(AT_START_4)
      : 0;
    return {
      driver: await this.#text("nvmlSystemGetDriverVersion"),
      nvml: await this.#text("nvmlSystemGetNVMLVersion"),
      cuda: cuda > 0 ? `${Math.trunc(cuda / 1000)}.${Math.trunc(cuda % 1000 / 10)}` : undefined,
    };
  }

  /** How many GPUs the driver has, including broken ones. @throws {NvmlError} */
  async deviceCount(): Promise<number> {
    await this.must("nvmlDeviceGetCount_v2", this.#out.bytes);
    return Math.min(this.#out.u32(AT_START_4), MAX_GPUS);
  }

  async #text(name: "nvmlSystemGetDriverVersion" | "nvmlSystemGetNVMLVersion"): Promise<string | undefined> {
    return await this.ok(name, this.#out.bytes, VERSION_BYTES) ? this.#out.text() : undefined;
  }
}
