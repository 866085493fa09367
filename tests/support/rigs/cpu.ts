/**
 * The CPU exporter on a powercap tree in a temporary folder: two packages with their memory.
 *
 * @module
 */
import { join } from "@std/path";
import {
  INTEL_RANGE_MICROJOULES,
  SMALL_RANGE_MICROJOULES,
  type TreeZone,
} from "../../../simulation/powercap_tree.ts";
import type { ExporterProcess } from "../exporter_process.ts";
import { TemporaryTree } from "../powercap.ts";
import { type Rig, type RigOptions, type Series, startOnRig } from "./rig.ts";

/** The package that the canary shows. */
export const PACKAGE_0 = "intel-rapl/intel-rapl:0";
/** Another one. */
export const PACKAGE_1 = "intel-rapl/intel-rapl:1";

const STEP_MICROJOULES = 1_234_567n;
const START_MICROJOULES = 5_000_000_000n;

/** The CPU exporter on a tree. */
export class CpuRig implements Rig {
  readonly name = "cpu";
  readonly source = "powercap";
  readonly canary: Series = { name: "rapl_energy_joules_total", labels: { path: PACKAGE_0 } };
  /** The tree, below a folder that stays while the tree is away. */
  readonly tree: TemporaryTree;
  /** What the counters hold, by zone. */
  readonly #microjoules = new Map(zones().map(({ path }) => [path, START_MICROJOULES]));

  private constructor(tree: TemporaryTree, readonly exporter: ExporterProcess) {
    this.tree = tree;
  }

  /** Starts it; ten readings a second, so that a fault is seen at once. */
  static async create(options: RigOptions = {}): Promise<CpuRig> {
    const tree = new TemporaryTree(zones());
    Deno.chmodSync(tree.root, 0o755);
    if (options.absent) Deno.renameSync(tree.root, away(tree));
    try {
      const exporter = await startOnRig("cpu", [`--powercap=${tree.root}`, "--interval=100ms"], options);
      return new CpuRig(tree, exporter);
    } catch (error) {
      tree[Symbol.dispose]();
      throw error;
    }
  }

  step(before: number): number {
    this.draw(PACKAGE_0, STEP_MICROJOULES);
    return before + Number(STEP_MICROJOULES) / 1e6;
  }

  /** The zones of the tree. */
  get paths(): string[] {
    return [...this.#microjoules.keys()];
  }

  /** Lets a zone use energy; its counter wraps. */
  draw(path: string, microjoules: bigint): void {
    const { rangeMicrojoules } = zones().find((zone) => zone.path === path) ?? {};
    const sum = (this.#microjoules.get(path) ?? 0n) + microjoules;
    this.setEnergy(path, sum % (rangeMicrojoules ?? sum));
  }

  /** Sets a zone's counter. */
  setEnergy(path: string, microjoules: bigint): void {
    this.#microjoules.set(path, microjoules);
    this.tree.setEnergy(path, microjoules);
  }

  /** Takes all zones away and makes them again with counters at 0, as loading the driver again does. */
  async reload(): Promise<void> {
    // The kernel refuses to read an open file whose device is gone; these would show what they held last.
    this.setAll("gone");
    for (const path of [PACKAGE_0, PACKAGE_1]) this.tree.remove(path);
    for (const { path } of zones()) {
      this.#microjoules.set(path, 0n);
      this.add(path);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  /** Writes into every counter, in place. */
  setAll(text: string): void {
    for (const path of this.paths) this.tree.setEnergy(path, text);
  }

  /** Writes what the counters should hold. */
  restoreAll(): void {
    for (const [path, microjoules] of this.#microjoules) this.tree.setEnergy(path, microjoules);
  }

  /** Changes who may read the counters. */
  chmod(mode: number): void {
    for (const { path } of zones()) Deno.chmodSync(join(this.tree.root, path, "energy_uj"), mode);
  }

  /** Adds a zone that was removed, with what its counter held. */
  add(path: string): void {
    const zone = zones().find((zone) => zone.path === path);
    const energyMicrojoules = this.#microjoules.get(path);
    if (zone && energyMicrojoules !== undefined) this.tree.add({ ...zone, energyMicrojoules });
  }

  hide(): void {
    Deno.renameSync(this.tree.root, away(this.tree));
  }

  show(): void {
    Deno.renameSync(away(this.tree), this.tree.root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exporter[Symbol.asyncDispose]();
    this.tree[Symbol.dispose]();
  }
}

function away({ root }: TemporaryTree): string {
  return `${root}.away`;
}

function zones(): TreeZone[] {
  return [PACKAGE_0, PACKAGE_1].flatMap((path, index) => [
    { path, name: `package-${index}`, rangeMicrojoules: INTEL_RANGE_MICROJOULES },
    { path: `${path}/intel-rapl:${index}:0`, name: "dram", rangeMicrojoules: SMALL_RANGE_MICROJOULES },
  ]).map((zone) => ({ ...zone, energyMicrojoules: START_MICROJOULES, enabled: true }));
}
