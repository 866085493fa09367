/**
 * Zones whose power is known at every moment, for the process that a library is preloaded into (scheduled_power.c):
 * its counters are functions of the time at which they are read, as the kernel's are.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { PowercapTree } from "../../simulation/powercap_tree.ts";
import { runCc } from "./nvml_stub.ts";

const SOURCE = fromFileUrl(new URL("./scheduled_power.c", import.meta.url));

/** A zone and what it draws, in watts. */
export interface ScheduledZone {
  readonly path: string;
  readonly name: string;
  readonly watts: number;
}

/** A tree of such zones, idle until {@linkcode start}; disposing of it removes it. */
export class ScheduledPower implements Disposable {
  readonly #folder: string;
  readonly #zones: readonly ScheduledZone[];
  #startMs = 0;
  #endMs = 0;

  private constructor(folder: string, zones: readonly ScheduledZone[]) {
    this.#folder = folder;
    this.#zones = zones;
    using tree = new PowercapTree(this.root);
    for (const { path, name } of zones) tree.add({ path, name, rangeMicrojoules: 262_143_328_850n });
    this.#append(() => "");
  }

  /** Writes the tree and compiles the library. */
  static async create(zones: readonly ScheduledZone[]): Promise<ScheduledPower> {
    const folder = await Deno.makeTempDir({ prefix: "scheduled-power-" });
    await Deno.mkdir(`${folder}/tree`);
    const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"];
    await runCc([...flags, "-o", `${folder}/read.so`, SOURCE, "-ldl"]);
    return new ScheduledPower(folder, zones);
  }

  /** The powercap tree. */
  get root(): string {
    return `${this.#folder}/tree`;
  }

  /** The environment of a process that reads these counters. */
  get env(): Record<string, string> {
    return { LD_PRELOAD: `${this.#folder}/read.so`, STOP_AFTER_READ: this.#stopFile };
  }

  get #stopFile(): string {
    return `${this.#folder}/stop`;
  }

  /** Lets each zone draw other power from a moment on, which has to lie ahead: Unix time in milliseconds. */
  schedule(atMs: number, wattsOf: (zone: ScheduledZone) => number): void {
    this.#append((zone) => `${atMs} ${Math.round(wattsOf(zone) * 1000)}\n`);
  }

  /** Lets the zones draw power in a moment, from now on and for ever. */
  start(): void {
    this.#startMs = Date.now() + 100;
    this.#append(({ watts }) => `${this.#startMs} ${watts * 1000}\n`);
  }

  /** Lets them stop drawing power in a moment. */
  end(): void {
    this.#endMs = Date.now() + 100;
    this.#append(() => `${this.#endMs} 0\n`);
  }

  /** What a zone has used when it is over, in joules. */
  joules({ watts }: ScheduledZone): number {
    return watts * (this.#endMs - this.#startMs) / 1000;
  }

  /** Stops the process when it has read a counter the next time. */
  stopAfterRead(): void {
    Deno.writeTextFileSync(this.#stopFile, "");
  }

  /** Whether the process has still to stop. */
  get isStopPending(): boolean {
    try {
      Deno.statSync(this.#stopFile);
      return true;
    } catch {
      return false;
    }
  }

  /** Adds a line to each schedule. Files are never truncated: a reader would see a counter at 0. */
  #append(line: (zone: ScheduledZone) => string): void {
    for (const zone of this.#zones) {
      Deno.writeTextFileSync(`${this.root}/${zone.path}/energy_uj`, line(zone), { append: true });
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
