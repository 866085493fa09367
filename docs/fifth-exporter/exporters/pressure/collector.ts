/**
 * Reads pressure stall information: files `cpu`, `memory` and `io` with a line for each kind,
 * `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, the total in microseconds.
 *
 * https://docs.kernel.org/accounting/psi.html
 *
 * @module
 */
import { type Collection, type Collector, type Problem, SourceError } from "../../lib/collector.ts";
import { type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { refusalOf } from "../../lib/permissions.ts";

/** What it publishes. */
export const PRESSURE_METRICS = {
  stalled: {
    name: "pressure_stalled_seconds_total",
    type: "counter",
    help:
      "Time in which some tasks, or all (kind full), waited for the resource, in seconds, from PSI's total.",
    labels: ["resource", "kind"],
  },
} as const satisfies Record<string, MetricDefinition>;

const RESOURCES = ["cpu", "io", "memory"] as const;
const LINE_REGEXP = /^(some|full) .*\btotal=(\d+)$/gm;

/** Publishes the totals of a folder like /proc/pressure. */
export class PressureCollector implements Collector {
  readonly source = "pressure";
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads all files. @throws {SourceError} when none can be read */
  collect(): Collection {
    const snapshot = new Snapshot();
    const problems: Problem[] = [];
    for (const resource of RESOURCES) {
      try {
        const text = Deno.readTextFileSync(`${this.#folder}/${resource}`);
        for (const [, kind = "", microseconds] of text.matchAll(LINE_REGEXP)) {
          snapshot.add(PRESSURE_METRICS.stalled, Number(microseconds) / 1e6, { resource, kind });
        }
      } catch (error) {
        problems.push(this.#explain(resource, error));
      }
    }
    const [first] = problems;
    if (first && problems.length === RESOURCES.length) throw new SourceError(first.reason, first.message);
    return { up: true, snapshot, problems };
  }

  #explain(resource: string, error: unknown): Problem {
    const path = `${this.#folder}/${resource}`;
    if (refusalOf(error) === "flag") {
      return {
        reason: "permission",
        message: `Cannot read "${path}": start with "--allow-read=${this.#folder}"`,
      };
    }
    const reason = error instanceof Deno.errors.NotFound ? "missing" : "invalid";
    return {
      reason,
      message: `Cannot read "${path}": mount /proc/pressure there, of a kernel with CONFIG_PSI`,
    };
  }
}
