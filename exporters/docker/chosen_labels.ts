/**
 * Labels of containers that `--container-label` asks for: they are published in a metric of their own.
 *
 * @module
 */
import type { Labels, MetricDefinition } from "../../lib/exposition.ts";
import { UsageError } from "../../lib/options.ts";
import { type JsonObject, textOf } from "./json.ts";
import { CONTAINER } from "./metrics.ts";

/** The labels to publish, and the metric that carries them. */
export interface ChosenLabels {
  readonly names: readonly string[];
  readonly metric: MetricDefinition;
}

/** Chooses labels by their names; undefined without any. @throws {UsageError} when two would have one name */
export function chooseLabels(names: readonly string[]): ChosenLabels | undefined {
  const unique = [...new Set(names)];
  const clash = unique.find((name, index) =>
    unique.findIndex((other) => toLabelName(other) === toLabelName(name)) < index
  );
  if (clash !== undefined) {
    throw new UsageError(
      `Cannot use "--container-label=${clash}" as another label becomes "${
        toLabelName(clash)
      }" too: choose one`,
    );
  }
  if (unique.length === 0) return undefined;
  const metric: MetricDefinition = {
    name: "docker_container_labels",
    type: "gauge",
    help: "Always 1; carries the container's own labels that --container-label asks for.",
    labels: [...CONTAINER, ...unique.map(toLabelName)],
  };
  return { names: unique, metric };
}

/** What a container has for the chosen labels; empty where it has none. */
export function valuesOf({ names }: ChosenLabels, own: JsonObject): Labels {
  return Object.fromEntries(names.map((name) => [toLabelName(name), textOf(own[name]) ?? ""]));
}

/** As `label_<name>`, with every character that a metric's label cannot have replaced by `_`. */
function toLabelName(name: string): string {
  return `label_${name.replace(/[^A-Za-z0-9_]/g, "_")}`;
}
