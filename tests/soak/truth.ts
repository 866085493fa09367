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
  /** The label that tells its series apart; none: there is one series. */
  readonly label?: string;
  /** How long a series may stay after it left the source, in milliseconds. @default {0} */
  readonly lingerMs?: number;
  /** A fault may take some of it away, such as energy used while nobody could read; it goes on from there. */
  readonly isLossy?: boolean;
  /** A sum whose parts are read at different moments: anything between two true values is true. */
  readonly isSum?: boolean;
}

/** Values by the key of their series: see {@linkcode keyOf}. */
export type Truth = ReadonlyMap<string, number>;

/** Names a tracked series. */
export function keyOf(name: string, labelValue = ""): string {
  return `${name} ${labelValue}`;
}

interface Entry {
  readonly value: number;
  readonly fromMs: number;
  toMs: number;
}

/** How long entries are kept, in milliseconds. */
const KEPT_MS = 30_000;

/** The past of a source. */
export class History {
  readonly #tracked: readonly Tracked[];
  readonly #maxAgeMs: number;
  readonly #entries = new Map<string, Entry[]>();
  readonly #presentSinceMs = new Map<string, number>();
  /** Added to a counter's truth: the exporter counts from its own start. */
  readonly #offsets = new Map<string, number>();

  /** `maxAgeMs`: how old a value on a page may be. */
  constructor(tracked: readonly Tracked[], maxAgeMs: number) {
    this.#tracked = tracked;
    this.#maxAgeMs = maxAgeMs;
  }

  /** Takes note of the truth after a change that took place between two moments. */
  record(truth: Truth, fromMs: number, toMs: number): void {
    for (const [key, value] of truth) {
      const entries = this.#entries.get(key) ?? [];
      this.#entries.set(key, entries);
      if (!this.#presentSinceMs.has(key)) this.#presentSinceMs.set(key, toMs);
      const last = entries.at(-1);
      if (last?.value === value && last.toMs === Infinity) continue;
      if (last) last.toMs = Math.min(last.toMs, toMs);
      entries.push({ value, fromMs, toMs: Infinity });
    }
    for (const [key, entries] of this.#entries) {
      const last = entries.at(-1);
      if (last && !truth.has(key)) {
        last.toMs = Math.min(last.toMs, toMs);
        this.#presentSinceMs.delete(key);
      }
      while (entries[0] && entries[0].toMs < toMs - KEPT_MS) entries.shift();
      if (entries.length === 0) this.#entries.delete(key);
    }
  }

  /** Begins anew after a fault: what the page shows now is where what is lossy goes on from. */
  rebase(truth: Truth, page: Page, nowMs: number): void {
    this.#entries.clear();
    this.#presentSinceMs.clear();
    this.#offsets.clear();
    this.record(truth, nowMs, nowMs);
    for (const { key, value, tracked } of this.#samples(page)) {
      const expected = truth.get(key);
      if (tracked.isLossy && expected !== undefined) this.#offsets.set(key, value - expected);
    }
  }

  /** Compares a page that was asked for and received at these moments. Returns what is wrong, and how much was compared. */
  compare(page: Page, askedMs: number, receivedMs: number): { faults: string[]; compared: number } {
    const faults: string[] = [];
    const samples = this.#samples(page);
    for (const { key, value, tracked } of samples) {
      const entries = this.#entries.get(key) ?? [];
      const offset = this.#offset(key);
      const past = entries.filter((entry, index) => {
        const lingerMs = index === entries.length - 1 ? tracked.lingerMs ?? 0 : 0;
        return entry.fromMs <= receivedMs && entry.toMs + this.#maxAgeMs + lingerMs >= askedMs;
      }).map((entry) => entry.value + offset);
      const isBetween = tracked.isSum && value > Math.min(...past) && value < Math.max(...past);
      if (!isBetween && !past.some((each) => isEqual(each, value))) {
        const last = entries.at(-1);
        faults.push(
          last
            ? `${key} is ${value}: it was last ${last.value + offset}${
              last.toMs === Infinity ? "" : ", and is gone"
            }`
            : `${key} is ${value}: there is no such thing`,
        );
      }
    }
    const shown = new Set(samples.map(({ key }) => key));
    for (const [key, sinceMs] of this.#presentSinceMs) {
      if (sinceMs < askedMs - this.#maxAgeMs && !shown.has(key)) faults.push(`${key} is not on the page`);
    }
    return { faults, compared: samples.length };
  }

  #offset(key: string): number {
    return this.#offsets.get(key) ?? 0;
  }

  #samples(page: Page): { key: string; value: number; tracked: Tracked }[] {
    return this.#tracked.flatMap((tracked) =>
      (page.families.get(tracked.name)?.samples ?? []).map(({ labels, value }) => ({
        key: keyOf(tracked.name, tracked.label === undefined ? "" : labels[tracked.label]),
        value,
        tracked,
      }))
    );
  }
}

/** Sums of decimal fractions differ in the last digits. */
function isEqual(left: number, right: number): boolean {
  return Math.abs(left - right) <= 1e-9 * Math.max(1000, Math.abs(left), Math.abs(right));
}
