/**
 * Reads one zone's counter again and again, and keeps apart what belongs to different counters.
 *
 * @module
 */
import { join } from "@std/path";
import type { Problem } from "../../lib/collector.ts";
import type { EnergyCounter } from "./energy_counter.ts";
import { describeFailure } from "./failures.ts";
import type { EnergyFile, Zone } from "./powercap.ts";
import { readTimed, type TimedReadingOptions } from "./timed_reading.ts";

/** What a reader needs of an {@linkcode EnergyFile}. */
export type CounterFile = Pick<EnergyFile, "identity" | "read"> & Disposable;

/** Options of {@linkcode ZoneReader}. */
export interface ZoneReaderOptions extends TimedReadingOptions {
  /** Root of the powercap tree. */
  root: string;
  /** Takes the readings. */
  counter: EnergyCounter;
  /** Opens a zone's counter. */
  openCounter: (path: string) => CounterFile;
}

/** More than any processor package draws: some 500 W in 2025, for a moment twice that. */
const MAX_ZONE_WATTS = 2000;
/** More than a whole board draws. */
const MAX_PSYS_WATTS = 5000;

/** Reads the counter of one zone. */
export class ZoneReader implements Disposable {
  readonly counter: EnergyCounter;
  readonly #options: ZoneReaderOptions;
  #zone: Zone;
  #file: CounterFile | undefined;
  /** Identity of the file of the last reading. */
  #readFrom: string | undefined;
  #error: unknown;
  #problem: Problem | undefined;

  constructor(zone: Zone, options: ZoneReaderOptions) {
    this.#zone = zone;
    this.#options = options;
    this.counter = options.counter;
    this.counter.restart();
  }

  /** The zone as it was last found. */
  get zone(): Zone {
    return this.#zone;
  }

  /** Why the zone could not be read the last time. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** What was thrown when the zone could not be read the last time. */
  get error(): unknown {
    return this.#error;
  }

  /** Takes the zone as a new walk found it. The next reading opens the file again, for it may be another one. */
  renew(zone: Zone): void {
    this.#zone = zone;
    this.#close();
  }

  /** Reads the counter, or notes why that is impossible. Returns the microjoules that were added. */
  read(): bigint {
    const { root, openCounter, intervalMs } = this.#options;
    const { path, name, rangeMicrojoules } = this.#zone;
    const filePath = join(root, path, "energy_uj");
    try {
      const file = this.#file ??= openCounter(filePath);
      const reading = readTimed(() => file.read(), this.#options);
      // Another file under the same path is another counter, also when its zone looks the same.
      if (this.#readFrom !== file.identity) this.counter.restart();
      this.#readFrom = file.identity;
      this.#error = this.#problem = undefined;
      const maxWatts = name.startsWith("psys") ? MAX_PSYS_WATTS : MAX_ZONE_WATTS;
      return this.counter.add(reading, { rangeMicrojoules, maxWatts, intervalMs });
    } catch (error) {
      this.#error = error;
      this.#problem = describeFailure(`Cannot read zone "${path}"`, filePath, error);
      // A zone that went and came back is a new one, whatever its counter shows.
      if (this.#problem.reason === "gone") this.#readFrom = undefined;
      this.#close();
      return 0n;
    }
  }

  /** Closes the file, and ends what the counter takes to belong together. */
  [Symbol.dispose](): void {
    this.#close();
    this.counter.restart();
  }

  #close(): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }
}
