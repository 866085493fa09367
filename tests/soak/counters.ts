/**
 * Holds the counters of an exporter's pages against each other, in the order in which they were sent, whoever
 * asked: none may ever fall, which also says that all scrapers see the same ones.
 *
 * @module
 */
import type { Page } from "../support/rigs/rig.ts";

/** The counters of the page before. */
export class CounterWatch {
  #before = new Map<string, number>();

  /** Takes the next page; returns the counters that fell since the one before. */
  check(page: Page): string[] {
    const now = new Map<string, number>();
    const fallen: string[] = [];
    for (const { type, samples } of page.families.values()) {
      if (type !== "counter" && type !== "histogram") continue;
      for (const { name, labels, value } of samples) {
        const key = `${name}${JSON.stringify(labels)}`;
        now.set(key, value);
        const before = this.#before.get(key);
        if (before !== undefined && value < before) fallen.push(`${key} fell from ${before} to ${value}`);
      }
    }
    this.#before = now;
    return fallen;
  }
}
