/**
 * What a simulated source said when, and whether a page agrees: every tracked value must have been true a moment
 * before the page was sent, and everything that was there all the while must be on it.
 *
 * @module
 */
import type { Page } from "../support/rigs/rig.ts";

/** A metric family of which the truth is known, for each value of a label. */
export interface Tracked {
  readonly name: string;
  /** The labels by which its series are known; none: there is one series. */
  readonly labels?: readonly string[];
  /** How long a series may stay after it left the source, in milliseconds. @default {0} */
  readonly lingerMs?: number;
  /** A fault may take some of it away, such as energy used while nobody could read; it goes on from there. */
  readonly isLossy?: boolean;
  /** It moves all the time, or its parts are read at different moments: anything between two true values is true. */
  readonly isBetween?: boolean;
  /** How old it may be, where that is not as for all others of its page, in milliseconds. */
  readonly maxAgeMs?: number;
  /** It is read for the page, which is no older where the exporter waits for the processor. */
  readonly isOnDemand?: boolean;
  /** How far it may be from the truth, as a part of it and in its own unit. @default {0} */
  readonly tolerance?: { readonly relative?: number; readonly absolute?: number };
  /** The exporter may have to omit it for a while. */
  readonly mayBeAbsent?: boolean;
}

/** When a page was made. */
export interface PageTimes {
  readonly askedMs: number;
  readonly receivedMs: number;
  readonly lateMs?: number;
}

/** A value, or between which two it lies. */
export type TrueValue = number | readonly [least: number, most: number];

/** Values by the key of their series: see {@linkcode keyOf}. */
export type Truth = ReadonlyMap<string, TrueValue>;

/** Names a tracked series. */
export function keyOf(name: string, ...labelValues: readonly string[]): string {
  return `${name} ${labelValues.join(" ")}`;
}

interface Entry {
  readonly least: number;
  readonly most: number;
  fromMs: number;
  toMs: number;
}

/** How long entries are kept beyond the age that a value may have, in milliseconds. */
const KEPT_MS = 30_000;

/** The past of a source. */
export class History {
  readonly #tracked: readonly Tracked[];
  readonly #maxAgeMs: number;
  readonly #keptMs: number;
  readonly #entries = new Map<string, Entry[]>();
  readonly #presentSinceMs = new Map<string, number>();
  /** Added to a counter's truth: the exporter counts from its own start. */
  readonly #offsets = new Map<string, number>();

  /** `maxAgeMs`: how old a value on a page may be. */
  constructor(tracked: readonly Tracked[], maxAgeMs: number) {
    this.#tracked = tracked;
    this.#maxAgeMs = maxAgeMs;
    this.#keptMs = KEPT_MS + Math.max(maxAgeMs, ...tracked.map((each) => each.maxAgeMs ?? 0));
  }

  /** Takes note of the truth after a change that took place between two moments. */
  record(truth: Truth, fromMs: number, toMs: number): void {
    for (const [key, value] of truth) {
      const entries = this.#entries.get(key) ?? [];
      this.#entries.set(key, entries);
      if (!this.#presentSinceMs.has(key)) this.#presentSinceMs.set(key, toMs);
      const last = entries.at(-1);
      const [least, most] = typeof value === "number" ? [value, value] : value;
      if (last?.least === least && last.most === most && last.toMs === Infinity) {
        // Who looked first may have taken longer.
        last.fromMs = Math.min(last.fromMs, fromMs);
        continue;
      }
      if (last) last.toMs = Math.min(last.toMs, toMs);
      entries.push({ least, most, fromMs, toMs: Infinity });
    }
    for (const [key, entries] of this.#entries) {
      const last = entries.at(-1);
      if (last && !truth.has(key)) {
        last.toMs = Math.min(last.toMs, toMs);
        this.#presentSinceMs.delete(key);
      }
      while (entries[0] && entries[0].toMs < toMs - this.#keptMs) entries.shift();
      if (entries.length === 0) this.#entries.delete(key);
    }
  }

  /** Begins again after a fault: what the page shows now is where what is lossy goes on from. */
  rebase(truth: Truth, page: Page, nowMs: number): void {
    this.#entries.clear();
    this.#presentSinceMs.clear();
    this.#offsets.clear();
    this.record(truth, nowMs, nowMs);
    for (const { key, value, tracked } of this.#samples(page)) {
      const expected = truth.get(key);
      if (tracked.isLossy && typeof expected === "number") this.#offsets.set(key, value - expected);
    }
  }

  /**
   * Compares a page that was asked for and received at these moments. Returns what is wrong, and which series were
   * compared. `lateMs`: how long the exporter was ready to run and was not let, which makes values as much older.
   */
  compare(
    page: Page,
    { askedMs, receivedMs, lateMs = 0 }: PageTimes,
  ): { faults: string[]; compared: string[] } {
    const faults: string[] = [];
    const samples = this.#samples(page);
    for (const { key, value, tracked } of samples) {
      const entries = this.#entries.get(key) ?? [];
      const offset = this.#offset(key);
      const sinceMs = askedMs - this.#ageOf(tracked, lateMs);
      const past = entries.filter((entry, index) => {
        const lingerMs = index === entries.length - 1 ? tracked.lingerMs ?? 0 : 0;
        return entry.fromMs <= receivedMs && entry.toMs + lingerMs >= sinceMs;
      });
      if (isTrue(value - offset, past, tracked)) continue;
      const last = entries.at(-1);
      faults.push(
        last
          ? `${key} is ${value}: it was last ${last.least + offset}${
            last.least === last.most ? "" : ` to ${last.most + offset}`
          }${last.toMs === Infinity ? "" : ", and is gone"}`
          : `${key} is ${value}: there is no such thing`,
      );
    }
    const shown = new Set(samples.map(({ key }) => key));
    for (const [key, sinceMs] of this.#presentSinceMs) {
      const tracked = this.#trackedOf(key);
      if (!tracked) continue;
      const isDue = sinceMs < askedMs - this.#ageOf(tracked, lateMs);
      if (isDue && !tracked.mayBeAbsent && !shown.has(key)) faults.push(`${key} is not on the page`);
    }
    return { faults, compared: samples.map(({ key }) => key) };
  }

  #ageOf({ maxAgeMs = this.#maxAgeMs, isOnDemand }: Tracked, lateMs: number): number {
    return maxAgeMs + (isOnDemand ? 0 : lateMs);
  }

  #trackedOf(key: string): Tracked | undefined {
    return this.#tracked.find(({ name }) => key.startsWith(`${name} `));
  }

  #offset(key: string): number {
    return this.#offsets.get(key) ?? 0;
  }

  #samples(page: Page): { key: string; value: number; tracked: Tracked }[] {
    return this.#tracked.flatMap((tracked) =>
      (page.families.get(tracked.name)?.samples ?? []).map(({ labels, value }) => ({
        key: keyOf(tracked.name, ...(tracked.labels ?? []).map((label) => labels[label] ?? "")),
        value,
        tracked,
      }))
    );
  }
}

function isTrue(value: number, past: readonly Entry[], { tolerance = {}, isBetween }: Tracked): boolean {
  const { relative = 0, absolute = 0 } = tolerance;
  const ranges = isBetween && past.length > 0
    ? [{
      least: Math.min(...past.map(({ least }) => least)),
      most: Math.max(...past.map(({ most }) => most)),
    }]
    : past;
  return ranges.some(({ least, most }) => {
    const nearest = Math.min(Math.max(value, least), most);
    // Sums of decimal fractions differ in the last digits.
    const digits = 1e-9 * Math.max(1000, Math.abs(nearest), Math.abs(value));
    return Math.abs(nearest - value) <= digits + absolute + relative * Math.abs(nearest);
  });
}
