/**
 * The two functions of prom-client that this project needs: HELP and TYPE of a family, and a value as text.
 *
 * Its registry is loaded without the rest of the package, which spares a process 6 MB, and is handed a family without
 * samples: it would write the labels of every sample again at each scrape.
 *
 * @module
 */
import type { MetricDefinition } from "./exposition.ts";
import Registry from "prom-client/lib/registry.js";
import util from "prom-client/lib/util.js";

/** Writes a value as both formats want it. */
export const formatValue = util.getValueAsString as (value: number) => string;

/** Writes HELP and TYPE of a family. */
export async function formatHead({ name, help, type }: MetricDefinition): Promise<string> {
  return `${await formatFamily({ name, help, type, values: [] })}\n`;
}

/** A family as prom-client has it. */
export interface PromFamily extends MetricDefinition {
  /** Its samples. */
  readonly values: readonly unknown[];
}

/** Writes a family with its samples, as prom-client does by itself; formats are compared with it. */
export async function formatFamily(family: PromFamily): Promise<string> {
  const registry = new Registry();
  const metric = { ...family, get: () => Promise.resolve(metric) };
  registry.registerMetric(metric);
  return await registry.getSingleMetricAsString(family.name);
}
