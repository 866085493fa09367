/**
 * Pages that are falsified on purpose: whether the judges find what they are there for.
 *
 * @module
 */
import type { Sample } from "../support/exposition_parser.ts";
import type { Page } from "../support/rigs/rig.ts";
import { CounterWatch } from "./counters.ts";

/** Changes the samples of some metrics. */
export interface Lie {
  readonly what: string;
  /** Metrics that it changes, each for itself. */
  readonly metrics: readonly string[];
  /** A falsifier, which sees the pages of one exporter in their order. */
  readonly create: () => (samples: readonly Sample[]) => Sample[];
}

/** A unit that is wrong by a factor of 1000. */
export function wrongUnit(metrics: readonly string[]): Lie {
  return {
    what: "a unit off by 1000",
    metrics,
    create: () => (samples) => samples.map((sample) => ({ ...sample, value: sample.value * 1000 })),
  };
}

/** A counter that falls by one, once. */
export function fallsByOne(metrics: readonly string[]): Lie {
  const create: Lie["create"] = () => {
    let isOver = false;
    let before: readonly Sample[] = [];
    return (samples) => {
      const fallen = before.map((sample) => ({ ...sample, value: sample.value - 1 }));
      before = samples;
      if (isOver || !fallen.some(({ value }) => value >= 0)) return [...samples];
      isOver = true;
      return fallen.filter(({ value }) => value >= 0);
    };
  };
  return { what: "a counter that falls by one", metrics, create };
}

/** A gauge that shows its previous reading. */
export function oneReadingOld(metrics: readonly string[]): Lie {
  const create: Lie["create"] = () => {
    let current: Sample[] = [];
    let previous: Sample[] = [];
    return (samples) => {
      const text = JSON.stringify(samples);
      if (text !== JSON.stringify(current)) [previous, current] = [current, [...samples]];
      return previous.length > 0 ? previous : [...samples];
    };
  };
  return { what: "a gauge one reading old", metrics, create };
}

/** A state that is shown some seconds late. */
export function lagsBehind(metrics: readonly string[], seconds = 5): Lie {
  const create: Lie["create"] = () => {
    const past: { readonly atMs: number; readonly samples: readonly Sample[] }[] = [];
    return (samples) => {
      const atMs = performance.now();
      past.push({ atMs, samples });
      while ((past[1]?.atMs ?? Infinity) <= atMs - seconds * 1000) past.shift();
      return [...past[0]?.samples ?? samples];
    };
  };
  return { what: `a state that lags ${seconds} seconds`, metrics, create };
}

/** Judges the pages with one lie, and counts how often that was found, by metric. */
export class LieWatch {
  readonly what: string;
  readonly found: Map<string, number>;
  readonly #falsifiers: readonly {
    readonly metric: string;
    readonly falsify: ReturnType<Lie["create"]>;
    readonly counters: CounterWatch;
  }[];

  constructor({ what, metrics, create }: Lie) {
    this.what = what;
    this.found = new Map(metrics.map((metric) => [metric, 0]));
    this.#falsifiers = metrics.map((metric) => ({ metric, falsify: create(), counters: new CounterWatch() }));
  }

  /** Takes the next page. `compare` returns what is wrong with one. */
  judge(page: Page, compare: (page: Page) => readonly string[]): void {
    for (const { metric, falsify, counters } of this.#falsifiers) {
      const family = page.families.get(metric);
      if (!family) continue;
      const families = new Map([[metric, { ...family, samples: falsify(family.samples) }]]);
      const falsified: Page = { ...page, families };
      const isOf = (fault: string): boolean =>
        fault.startsWith(`${metric} `) || fault.startsWith(`${metric}{`);
      const faults = [...compare(falsified), ...counters.check(falsified)].filter(isOf);
      if (faults.length > 0) this.found.set(metric, (this.found.get(metric) ?? 0) + 1);
    }
  }
}
