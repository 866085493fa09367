/**
 * A metric and the account that it is held against: what its source says of itself, read by somebody else.
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";
import { keyOf, type Tracked, type TrueValue, type Truth } from "../soak/truth.ts";

/** Values that are true now, by the labels of {@linkcode Held.labels}. */
export type Account<S> = (source: S) => Iterable<readonly [labels: readonly string[], value: TrueValue]>;

/** A metric with an account. */
export interface Held<S> extends Omit<Tracked, "name"> {
  readonly metric: MetricDefinition;
  /** Whose account, for the table. */
  readonly against: string;
  /** What may be between the two, and why, for the table; none: nothing. */
  readonly why?: string;
  readonly account: Account<S>;
}

/** A metric that is not held against an account here. */
export interface NotHeld {
  readonly metric: MetricDefinition;
  /** Why not, and the test that has an eye on it. */
  readonly because: string;
}

/** A row of the table. */
export type Row<S> = Held<S> | NotHeld;

/** Whether a metric has an account. */
export function isHeld<S>(row: Row<S>): row is Held<S> {
  return "account" in row;
}

/** How the pages are to be judged by these rows. */
export function trackedBy<S>(rows: readonly Row<S>[]): Tracked[] {
  return rows.filter((row) => isHeld(row)).map(({ metric, ...how }) => ({ ...how, name: metric.name }));
}

/** What is true now by these rows. */
export function truthOf<S>(rows: readonly Row<S>[], source: S): Truth {
  const truth = new Map<string, TrueValue>();
  for (const row of rows) {
    if (!isHeld(row)) continue;
    for (const [labels, value] of row.account(source)) truth.set(keyOf(row.metric.name, ...labels), value);
  }
  return truth;
}
