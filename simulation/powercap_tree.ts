/**
 * Writes a powercap tree as the kernel shows it, for demonstrations, tests and measurements.
 *
 * The files: https://docs.kernel.org/power/powercap/powercap.html
 *
 * @module
 */
import { join } from "@std/path";

/** A limit as the kernel describes it. */
export interface TreeLimit {
  readonly name: string;
  readonly limitMicrowatts: number;
  /** Undefined for a limit without a window, such as `peak_power`. */
  readonly windowMicroseconds?: number;
}

/** A zone to write. What is undefined gets no file. */
export interface TreeZone {
  /** Place below the root: `intel-rapl/intel-rapl:0`. */
  readonly path: string;
  readonly name?: string;
  readonly energyMicrojoules?: bigint;
  readonly rangeMicrojoules?: bigint;
  readonly enabled?: boolean;
  readonly limits?: readonly TreeLimit[];
}

/** The range of Intel's package counters: 32 bits of 61 microjoules. */
export const INTEL_RANGE_MICROJOULES = 262_143_328_850n;
/** The range of a server's dram counter and of AMD's: 32 bits of 15 microjoules. */
export const SMALL_RANGE_MICROJOULES = 65_712_999_613n;

const ENCODER = new TextEncoder();

/** A powercap tree in a folder. Disposing of it closes its files, and leaves them. */
export class PowercapTree implements Disposable {
  readonly root: string;
  readonly #counters = new Map<string, Deno.FsFile>();

  constructor(root: string) {
    this.root = root;
  }

  /** Adds a zone, or overwrites it. */
  add(zone: TreeZone): void {
    const folder = join(this.root, zone.path);
    Deno.mkdirSync(join(folder, "power"), { recursive: true });
    const write = (file: string, value: string | number | bigint | undefined): void => {
      if (value !== undefined) Deno.writeTextFileSync(join(folder, file), `${value}\n`);
    };
    write("name", zone.name);
    write("max_energy_range_uj", zone.rangeMicrojoules);
    write("enabled", zone.enabled === undefined ? undefined : Number(zone.enabled));
    for (const [index, limit] of (zone.limits ?? []).entries()) {
      write(`constraint_${index}_name`, limit.name);
      write(`constraint_${index}_power_limit_uw`, limit.limitMicrowatts);
      write(`constraint_${index}_time_window_us`, limit.windowMicroseconds);
    }
    if (zone.energyMicrojoules !== undefined) this.setEnergy(zone.path, zone.energyMicrojoules);
  }

  /** Sets a zone's counter, in place as the kernel does: a reader never sees an empty file. */
  setEnergy(path: string, microjoules: bigint | string): void {
    let counter = this.#counters.get(path);
    if (!counter) {
      counter = Deno.openSync(join(this.root, path, "energy_uj"), { write: true, create: true });
      this.#counters.set(path, counter);
    }
    counter.seekSync(0, Deno.SeekMode.Start);
    // Line feeds blot out what a longer number left behind.
    counter.writeSync(ENCODER.encode(`${microjoules}`.padEnd(24, "\n")));
  }

  /** Takes a zone away, with its parts. */
  remove(path: string): void {
    for (const [other, counter] of this.#counters) {
      if (other !== path && !other.startsWith(`${path}/`)) continue;
      counter.close();
      this.#counters.delete(other);
    }
    Deno.removeSync(join(this.root, path), { recursive: true });
  }

  [Symbol.dispose](): void {
    for (const counter of this.#counters.values()) counter.close();
    this.#counters.clear();
  }
}
