/**
 * A powercap tree whose energy moves at powers that a test sets.
 *
 * @module
 */
import { PowercapTree, type TreeZone } from "../../simulation/powercap_tree.ts";

/** How often the counters move. */
const STEP_MS = 20;

/** One processor package and its memory; disposing of it removes the tree. */
export class SteadyPower implements Disposable {
  readonly root = Deno.makeTempDirSync({ prefix: "powercap-test-" });
  readonly #tree = new PowercapTree(this.root);
  readonly #watts: Map<string, number>;
  readonly #joules = new Map<string, number>();
  readonly #timer: ReturnType<typeof setInterval>;
  #lastMs = performance.now();

  /** `zones` maps a zone's path to its name and its power in watts. */
  constructor(zones: Readonly<Record<string, { name: string; watts: number }>>) {
    this.#watts = new Map(Object.entries(zones).map(([path, { watts }]) => [path, watts]));
    for (const [path, { name }] of Object.entries(zones)) {
      const zone: TreeZone = { path, name, energyMicrojoules: 0n, rangeMicrojoules: 262_143_328_850n };
      this.#tree.add({ ...zone, enabled: true });
    }
    this.#timer = setInterval(() => this.#advance(), STEP_MS);
  }

  /** Sets the power of a zone from now on. */
  set(path: string, watts: number): void {
    this.#advance();
    this.#watts.set(path, watts);
  }

  /** Energy of a zone since the beginning, in joules. */
  joules(path: string): number {
    return this.#joules.get(path) ?? 0;
  }

  #advance(): void {
    const nowMs = performance.now();
    for (const [path, watts] of this.#watts) {
      const joules = this.joules(path) + watts * (nowMs - this.#lastMs) / 1000;
      this.#joules.set(path, joules);
      this.#tree.setEnergy(path, BigInt(Math.round(joules * 1e6)));
    }
    this.#lastMs = nowMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#tree[Symbol.dispose]();
    Deno.removeSync(this.root, { recursive: true });
  }
}
