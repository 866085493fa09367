/**
 * The GPU exporter on the stand-in for NVIDIA's library, opened by the real dlopen: two GPUs.
 *
 * @module
 */
import type { ExporterProcess } from "../exporter_process.ts";
import { NvmlStub, readScript } from "../nvml_stub.ts";
import { type Rig, type RigOptions, type Series, startOnRig } from "./rig.ts";

const UUIDS = [
  "GPU-11111111-2222-3333-4444-555555555555",
  "GPU-22222222-3333-4444-5555-666666666666",
] as const;

/** Script lines by which the driver refuses everything with an NVML code. */
export function refuse(code: number): string[] {
  return ["gpu0 *", "gpu1 *", "gpu* *", "sys nvmlInit_v2", "sys nvmlDeviceGetCount_v2"].map((what) =>
    `${what} !${code}`
  );
}

/** The GPU exporter on a library that answers from a script. */
export class GpuRig implements Rig {
  readonly name = "gpu";
  readonly source = "nvml";
  readonly canary: Series = { name: "gpu_power_watts", labels: { gpu: "0" } };
  readonly stub: NvmlStub;
  readonly #base: string;
  /** The values of the GPUs; {@linkcode write} passes them to the library. */
  readonly gpus = UUIDS.map(() => ({ milliwatts: 143_000, millijoules: 918_273_645, sessions: 2 }));
  #extra = "";

  private constructor(stub: NvmlStub, base: string, readonly exporter: ExporterProcess) {
    this.stub = stub;
    this.#base = base;
  }

  /** Starts it; every scrape is a new reading. */
  static async create(options: RigOptions = {}): Promise<GpuRig> {
    const base = (await readScript("busy"))
      .replaceAll("nvmlDeviceGetCount_v2 1\n", `nvmlDeviceGetCount_v2 ${UUIDS.length}\n`)
      .replaceAll(/^gpu0 (?!nvmlDeviceGetUUID)/gm, "gpu* ")
      .replace(
        /^gpu0 nvmlDeviceGetUUID .*$/m,
        UUIDS.map((uuid, gpu) => `gpu${gpu} nvmlDeviceGetUUID ${uuid}`).join("\n"),
      );
    const stub = await NvmlStub.create(base);
    if (options.absent) Deno.renameSync(stub.path, `${stub.path}.away`);
    try {
      const exporter = await startOnRig("gpu", [`--nvml=${stub.path}`, "--interval=1ms"], options);
      const rig = new GpuRig(stub, base, exporter);
      rig.write();
      return rig;
    } catch (error) {
      stub[Symbol.dispose]();
      throw error;
    }
  }

  step(): number {
    const [first = { milliwatts: 0 }] = this.gpus;
    first.milliwatts += 1000;
    this.write();
    return first.milliwatts / 1000;
  }

  /** Lines of the library's script that outdo all others, until they are replaced: see nvml_stub.c. */
  answer(...lines: string[]): void {
    this.#extra = lines.map((line) => `${line}\n`).join("");
    this.write();
  }

  /** Writes {@linkcode gpus} into the library's script. */
  write(): void {
    const lines = this.gpus.flatMap(({ milliwatts, millijoules, sessions }, gpu) => [
      `gpu${gpu} nvmlDeviceGetPowerUsage ${milliwatts}`,
      `gpu${gpu} field:83 3 ${millijoules}`,
      `gpu${gpu} nvmlDeviceGetEncoderStats ${sessions} 60 12400`,
      `gpu${gpu} nvmlDeviceGetEncoderSessions ${
        Array.from({ length: sessions }, (_, index) => `${index + 1} 48211 0 0 1920 1080 60 6100`).join(" ")
      }`,
    ]);
    this.stub.script = `${this.#base}${lines.join("\n")}\n${this.#extra}`;
  }

  hide(): void {
    this.answer(...refuse(9));
  }

  show(): void {
    if (!exists(this.stub.path)) Deno.renameSync(`${this.stub.path}.away`, this.stub.path);
    this.answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A call that hangs would keep the process from ending.
    this.answer();
    await this.exporter[Symbol.asyncDispose]();
    this.stub[Symbol.dispose]();
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
