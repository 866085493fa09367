/**
 * Turns samples into a `/metrics` page in the Prometheus text format 0.0.4 or OpenMetrics 1.0.
 *
 * What it is handed was read elsewhere, so that totals keep the source's own value and what vanished from the
 * source vanishes from the page. prom-client writes families and numbers; labels are written here, once for all
 * samples that share them: of a thousand jobs, prom-client would write them twenty thousand times at each scrape.
 * Formats: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * @module
 */
import { formatHead, formatValue } from "./prom_client.ts";

/** A metric family: what stands in its HELP and TYPE lines. */
export interface MetricDefinition {
  /** Full name; a counter's ends in `_total`. */
  readonly name: string;
  /** What the values do: count up, or go up and down. */
  readonly type: "counter" | "gauge" | "histogram";
  /** A sentence that names the source and its raw unit. */
  readonly help: string;
  /** Names of the labels that every sample carries. */
  readonly labels?: readonly string[];
}

/** Label values by label name. */
export type Labels = Readonly<Record<string, string>>;

const NO_LABELS: Labels = {};

/** Names of a metric's labels; any, where its definition is not known to the compiler. */
export type LabelNames<M extends MetricDefinition> = "labels" extends keyof M
  ? NonNullable<M["labels"]>[number]
  : never;

/** Every label of a metric and no other; no argument where it has none. */
export type LabelArguments<M extends MetricDefinition, L> = [LabelNames<M>] extends [never] ? []
  : string extends LabelNames<M> ? [labels?: Labels]
  : [
    labels:
      & Readonly<Record<LabelNames<M>, string>>
      & Readonly<Record<Exclude<keyof L, LabelNames<M>>, never>>,
  ];

/** A histogram's state: cumulative counts by upper bound, without the `+Inf` bucket. */
export interface HistogramState {
  /** Cumulative counts by upper bound, in ascending order. */
  readonly buckets: readonly (readonly [upperBound: number, cumulativeCount: number])[];
  /** Sum of all observed values. */
  readonly sum: number;
  /** Number of observed values. */
  readonly count: number;
}

/** A value with its labels. */
export interface Sample {
  /** Its labels. */
  readonly labels: Labels;
  /** A finite number. */
  readonly value: number;
  /** Name of the series, where it is not the family's: a histogram's `_bucket`, `_sum` and `_count`. */
  readonly metricName?: string;
}

/** The samples of one collection. Once rendered it is taken as final: collect into a new one. */
export class Snapshot {
  /** Values by definition, in the order added. */
  readonly families: Map<MetricDefinition, Sample[]> = new Map();

  /** Adds a sample; undefined and what is not finite are dropped: a value that cannot be read is absent. */
  add<const M extends MetricDefinition, L extends Labels>(
    metric: M,
    value: number | bigint | undefined,
    ...rest: LabelArguments<M, L> & [labels?: L]
  ): void {
    const number = Number(value);
    const [labels = NO_LABELS] = rest as [Labels?];
    if (Number.isFinite(number)) this.#valuesOf(metric).push({ labels, value: number });
  }

  /** Adds a histogram. */
  addHistogram<const M extends MetricDefinition, L extends Labels>(
    metric: M,
    state: HistogramState,
    ...rest: LabelArguments<M, L> & [labels?: L]
  ): void {
    const values = this.#valuesOf(metric);
    const [labels = NO_LABELS] = rest as [Labels?];
    const bucket = `${metric.name}_bucket`;
    for (const [upperBound, count] of state.buckets) {
      values.push({ metricName: bucket, labels: { ...labels, le: formatBound(upperBound) }, value: count });
    }
    values.push({ metricName: bucket, labels: { ...labels, le: "+Inf" }, value: state.count });
    values.push({ metricName: `${metric.name}_sum`, labels, value: state.sum });
    values.push({ metricName: `${metric.name}_count`, labels, value: state.count });
  }

  #valuesOf(metric: MetricDefinition): Sample[] {
    let values = this.families.get(metric);
    if (!values) this.families.set(metric, values = []);
    return values;
  }
}

/** Formats a bucket's bound as OpenMetrics wants it: `1.0`, not `1`. */
function formatBound(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
}

/** A way to write a page, by its content type. */
export type Format = "text" | "openmetrics";

/** The Content-Type of each format. */
export const CONTENT_TYPE = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const satisfies Record<Format, string>;

interface Block {
  readonly name: string;
  /** HELP and TYPE. */
  readonly head: string;
  readonly samples: string;
}

/** Renders snapshots to pages; a snapshot that was rendered before costs nothing again. */
export class Exposition {
  readonly #blocks = {
    text: new WeakMap<Snapshot, Block[]>(),
    openmetrics: new WeakMap<Snapshot, Block[]>(),
  };
  readonly #heads = {
    text: new Map<MetricDefinition, string>(),
    openmetrics: new Map<MetricDefinition, string>(),
  };
  /** Labels as they are written; a source that hands over the same objects again is spared that. */
  readonly #labels = new WeakMap<Labels, string>();

  /** One page with the families of all snapshots, ordered by name; several snapshots may add to a family. */
  async render(snapshots: readonly Snapshot[], format: Format): Promise<string> {
    const blocks: Block[] = [];
    for (const snapshot of snapshots) blocks.push(...await this.#blocksOf(snapshot, format));
    blocks.sort((left, right) => left.name < right.name ? -1 : Number(left.name > right.name));
    let page = "";
    let family = "";
    for (const { name, head, samples } of blocks) {
      page += name === family ? samples : head + samples;
      family = name;
    }
    return format === "openmetrics" ? `${page}# EOF\n` : page;
  }

  async #blocksOf(snapshot: Snapshot, format: Format): Promise<Block[]> {
    const known = this.#blocks[format].get(snapshot);
    if (known) return known;
    const blocks: Block[] = [];
    for (const [metric, values] of snapshot.families) {
      const head = await this.#headOf(metric, format);
      const lines = values.map(({ metricName = metric.name, labels, value }) =>
        `${metricName}${this.#textOf(labels)} ${formatValue(value)}`
      );
      blocks.push({ name: metric.name, head, samples: `${lines.join("\n")}\n` });
    }
    this.#blocks[format].set(snapshot, blocks);
    return blocks;
  }

  /** HELP and TYPE, written once for each family. */
  async #headOf(metric: MetricDefinition, format: Format): Promise<string> {
    let head = this.#heads[format].get(metric);
    if (head === undefined) {
      // In OpenMetrics a counter's family has no `_total`, its samples have.
      const isBare = format === "openmetrics" && metric.type === "counter";
      const name = isBare ? metric.name.replace(/_total$/, "") : metric.name;
      head = await formatHead({ ...metric, name });
      this.#heads[format].set(metric, head);
    }
    return head;
  }

  #textOf(labels: Labels): string {
    let text = this.#labels.get(labels);
    if (text === undefined) this.#labels.set(labels, text = formatLabels(labels));
    return text;
  }
}

const ESCAPE_REGEXP = /[\\"\n]/g;
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

/** Writes `{name="value"}`, the same in both formats; nothing where there are no labels. */
function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${value.replace(ESCAPE_REGEXP, (character) => ESCAPES[character] ?? character)}"`
  );
  return pairs.length > 0 ? `{${pairs.join(",")}}` : "";
}
