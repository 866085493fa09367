/**
 * A machine with two processor packages whose energy counters move as they would under a changing load.
 *
 * @module
 */
import {
  INTEL_RANGE_MICROJOULES,
  PowercapTree,
  SMALL_RANGE_MICROJOULES,
  type TreeLimit,
} from "./powercap_tree.ts";

/** Watts of each part of a package. */
interface PackagePower {
  readonly core: number;
  readonly uncore: number;
  readonly package: number;
  readonly dram: number;
}

interface MovingZone {
  readonly path: string;
  readonly rangeMicrojoules: bigint;
  readonly watts: (packages: readonly PackagePower[]) => number;
  microjoules: bigint;
}

const PACKAGE_LIMITS: readonly TreeLimit[] = [
  { name: "long_term", limitMicrowatts: 150_000_000, windowMicroseconds: 999_424 },
  { name: "short_term", limitMicrowatts: 180_000_000, windowMicroseconds: 7_808 },
];
const PACKAGES = 2;

/** Draws power in a tree that it writes: two packages with their parts, psys and the mmio twin. */
export class SimulatedMachine implements Disposable {
  readonly #tree: PowercapTree;
  readonly #zones: MovingZone[] = [];
  #seconds = 0;

  /** Writes the tree into `root`, an empty folder. */
  constructor(root: string) {
    this.#tree = new PowercapTree(root);
    for (let index = 0; index < PACKAGES; index++) {
      const path = `intel-rapl/intel-rapl:${index}`;
      const part = (key: keyof PackagePower): MovingZone["watts"] => (packages) =>
        packages[index]?.[key] ?? 0;
      // The second package's counter wraps within the first minutes of a demonstration.
      const start = index === 0 ? 91_234_567_890n : INTEL_RANGE_MICROJOULES - 12_000_000_000n;
      this.#add(path, `package-${index}`, part("package"), start, PACKAGE_LIMITS);
      this.#add(`${path}/intel-rapl:${index}:0`, "core", part("core"));
      this.#add(`${path}/intel-rapl:${index}:1`, "uncore", part("uncore"));
      this.#add(`${path}/intel-rapl:${index}:2`, "dram", part("dram"));
    }
    const board: MovingZone["watts"] = (packages) =>
      packages.reduce((sum, each) => sum + each.package + each.dram, 45);
    this.#add(`intel-rapl/intel-rapl:${PACKAGES}`, "psys", board);
    const twin: MovingZone["watts"] = (packages) => packages[0]?.package ?? 0;
    this.#add("intel-rapl-mmio/intel-rapl-mmio:0", "package-0", twin, 0n, PACKAGE_LIMITS);
  }

  #add(
    path: string,
    name: string,
    watts: MovingZone["watts"],
    microjoules = 1_000_000_000n,
    limits: readonly TreeLimit[] = [],
  ): void {
    const rangeMicrojoules = name === "dram" ? SMALL_RANGE_MICROJOULES : INTEL_RANGE_MICROJOULES;
    this.#tree.add({ path, name, energyMicrojoules: microjoules, rangeMicrojoules, enabled: true, limits });
    this.#zones.push({ path, rangeMicrojoules, watts, microjoules });
  }

  /** Lets time pass: every counter moves on by what its zone draws. */
  advance(seconds: number): void {
    this.#seconds += seconds;
    const packages = Array.from({ length: PACKAGES }, (_, index) => packagePower(this.#seconds, index));
    for (const zone of this.#zones) {
      const step = BigInt(Math.round(zone.watts(packages) * seconds * 1e6));
      zone.microjoules = (zone.microjoules + step) % zone.rangeMicrojoules;
      this.#tree.setEnergy(zone.path, zone.microjoules);
    }
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
  }
}

/** Encodes that begin, end and differ in effort, with the unrest of a real machine. */
function packagePower(seconds: number, index: number): PackagePower {
  const phase = seconds / 47 + index * 2.1;
  const isBusy = Math.sin(phase) > -0.4;
  const effort = isBusy ? 0.72 + 0.2 * Math.sin(phase * 3.7) + 0.05 * Math.sin(seconds * 1.9 + index) : 0.06;
  const core = 6 + 118 * effort;
  const uncore = 3 + 9 * effort;
  return { core, uncore, package: 14 + core + uncore, dram: 4 + 17 * effort };
}
