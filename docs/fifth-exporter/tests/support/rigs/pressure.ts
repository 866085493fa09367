/**
 * The pressure exporter on a folder like /proc/pressure.
 *
 * @module
 */
import type { ExporterProcess } from "../exporter_process.ts";
import { type Rig, type RigOptions, type Series, startOnRig } from "./rig.ts";

const STEP_MICROSECONDS = 250_000;

/** The pressure exporter on files of the test's. */
export class PressureRig implements Rig {
  readonly name = "pressure";
  readonly source = "pressure";
  readonly canary: Series = {
    name: "pressure_stalled_seconds_total",
    labels: { resource: "cpu", kind: "some" },
  };
  #microseconds = 1_000_000;

  private constructor(readonly folder: string, readonly exporter: ExporterProcess) {}

  /** Starts it. */
  static async create(options: RigOptions = {}): Promise<PressureRig> {
    const folder = Deno.makeTempDirSync({ prefix: "pressure-test-" });
    Deno.chmodSync(folder, 0o755);
    const tree = `${folder}/pressure`;
    Deno.mkdirSync(tree);
    for (const name of ["cpu", "io", "memory"]) writePressure(`${tree}/${name}`, 1_000_000);
    if (options.absent) Deno.renameSync(tree, `${tree}.away`);
    try {
      return new PressureRig(folder, await startOnRig("pressure", [`--pressure=${tree}`], options));
    } catch (error) {
      Deno.removeSync(folder, { recursive: true });
      throw error;
    }
  }

  step(before: number): number {
    this.#microseconds += STEP_MICROSECONDS;
    writePressure(`${this.folder}/pressure/cpu`, this.#microseconds);
    return before + STEP_MICROSECONDS / 1e6;
  }

  hide(): void {
    Deno.renameSync(`${this.folder}/pressure`, `${this.folder}/pressure.away`);
  }

  show(): void {
    Deno.renameSync(`${this.folder}/pressure.away`, `${this.folder}/pressure`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exporter[Symbol.asyncDispose]();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function writePressure(path: string, microseconds: number): void {
  const averages = "avg10=0.00 avg60=0.00 avg300=0.00";
  Deno.writeTextFileSync(path, `some ${averages} total=${microseconds}\nfull ${averages} total=0\n`);
}
