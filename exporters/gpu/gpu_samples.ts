/**
 * The samples of one reading of one GPU, in base units. Values outside their metric's range are omitted.
 *
 * @module
 */
import type { Labels, MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import type { GpuMetric } from "./metrics.ts";

/** NVML's units: factor and divisor to the base unit. */
const UNITS = {
  "1": [1, 1],
  "%": [1, 100],
  "mW": [1, 1000],
  "mJ": [1, 1000],
  "us": [1, 1e6],
  "MHz": [1e6, 1],
  "KB/s": [1000, 1],
} as const satisfies Record<string, readonly [factor: number, divisor: number]>;

/** A unit that NVML reports values in; `1` where it is the base unit. */
export type Unit = keyof typeof UNITS;

/** Labels of a GPU. */
export type GpuLabels = { readonly gpu: string; readonly uuid: string };

/** Names of a metric's labels beside the GPU's; any, where its definition is not known to the compiler. */
type OwnLabel<M extends MetricDefinition> = Exclude<NonNullable<M["labels"]>[number], keyof GpuLabels>;

/** Unit and labels of a value: all labels of its metric and no other. @default unit: `"1"` */
type How<M extends MetricDefinition> =
  & { readonly unit?: Unit | undefined }
  & (
    [OwnLabel<M>] extends [never] ? { readonly labels?: never }
      : string extends OwnLabel<M> ? { readonly labels?: Labels | undefined }
      : { readonly labels: Readonly<Record<OwnLabel<M>, string>> }
  );

/** Collects samples; {@linkcode publish} adds the GPU's labels. */
export class GpuSamples {
  readonly #samples: { metric: GpuMetric; value: number; labels: Labels }[] = [];
  readonly #impossible = new Set<string>();

  /** A copy that more can be added to. */
  copy(): GpuSamples {
    const copy = new GpuSamples();
    copy.#samples.push(...this.#samples);
    for (const name of this.#impossible) copy.#impossible.add(name);
    return copy;
  }

  /** Names of the metrics with a value outside their range. */
  get impossible(): readonly string[] {
    return [...this.#impossible];
  }

  /** Adds a value in NVML's unit; undefined is absent. */
  add<const M extends GpuMetric>(
    metric: M,
    value: number | bigint | undefined,
    ...[how]: object extends How<M> ? [how?: How<M>] : [how: How<M>]
  ): void {
    const { labels = {}, unit = "1" }: { labels?: Labels | undefined; unit?: Unit | undefined } = how ?? {};
    if (value === undefined) return;
    const [factor, divisor] = UNITS[unit];
    const [least, most] = metric.range;
    const scaled = Number(value) * factor / divisor;
    if (scaled >= least && scaled <= most) {
      this.#samples.push({ metric, value: scaled, labels });
    } else this.#impossible.add(metric.name);
  }

  /** Adds them to a page. */
  publish(snapshot: Snapshot, gpu: GpuLabels): void {
    for (const { metric, value, labels } of this.#samples) snapshot.add(metric, value, { ...gpu, ...labels });
  }
}
