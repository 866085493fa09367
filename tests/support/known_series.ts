/**
 * Which metrics exist, with which labels: those of the golden pages as a scraper stores them, and those of the
 * recording rules. Rules and dashboards are held against it.
 *
 * @module
 */
import { load } from "js-yaml";
import { CATALOG } from "../../exporters/catalog.ts";
import { ENCODER_METRICS } from "../../exporters/ffmpeg/encoder_metrics.ts";
import { SELF_METRICS } from "../../lib/self_metrics.ts";
import { ROOT } from "./exporter_process.ts";
import { namesOf } from "./promql.ts";

/** A rule as its file has it. */
export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What is known of a metric: its labels, with the values that the goldens have for them. */
export type KnownMetric = ReadonlyMap<string, ReadonlySet<string>>;

/** Values that no golden page has, or not all of them: Xids, names of things. */
const FREE_LABELS = new Set(["gpu", "xid", "worker", "instance", "job_id", "encoder"]);

/** Values that are looked for as they are: words, not a pattern and not a variable of a dashboard. */
const LITERALS_REGEXP = /^[\w-]+(?:\|[\w-]+)*$/;

/** What there is of every target: what the scraper adds, and what each exporter reports of its process. */
const TARGET_METRICS = [
  "up",
  "scrape_duration_seconds",
  ...Object.values(SELF_METRICS).map(({ name }) => name),
];

/** Rules that publish other exporters' names. */
export const COMPAT_FILES: readonly string[] = [...Deno.readDirSync(`${ROOT}monitoring/rules`)]
  .map(({ name }) => name).filter((name) => name.startsWith("compat-")).sort();

/** The rules of a file in monitoring/rules/. */
export function readRules(file: string): Rule[] {
  const text = Deno.readTextFileSync(`${ROOT}monitoring/rules/${file}`);
  const { groups } = load(text) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** Everything that a dashboard, an alert or a recording rule may ask for. */
export function knownMetrics(): Map<string, KnownMetric> {
  const known = new Map<string, Map<string, Set<string>>>();
  for (const name of Object.keys(CATALOG)) {
    const folder = `${ROOT}tests/golden/${name}`;
    for (const { name: file } of Deno.readDirSync(folder)) {
      if (!file.endsWith(".prom")) continue;
      for (const line of Deno.readTextFileSync(`${folder}/${file}`).split("\n")) addSample(known, line, name);
    }
  }
  // Of a job that fell back no golden page has one.
  const { name, labels } = ENCODER_METRICS.fallback;
  addSample(known, `${name}{${labels.map((label) => `${label}=""`).join()}} 1`, "ffmpeg");
  for (const name of Object.keys(CATALOG)) {
    for (const metric of TARGET_METRICS) addSample(known, `${metric} 1`, name);
  }
  for (const { record = "", expr, labels = {} } of readRules("recording.yml")) {
    // Several rules may record the same name, each with a value of a label.
    const values = known.get(record) ?? new Map<string, Set<string>>();
    const [, grouping = ""] = /^\w+ by \(([\w, ]+)\)/.exec(expr) ?? [];
    for (const label of [...levelLabels(record), ...grouping.split(", ").filter(Boolean)]) {
      values.set(label, values.get(label) ?? new Set());
    }
    for (const [label, value] of Object.entries(labels)) {
      values.set(label, (values.get(label) ?? new Set()).add(value));
    }
    // Rules that build on a share hand on the method by which it was shared out.
    for (const { metric } of namesOf(expr).selectors) {
      const method = metric.includes(":") ? known.get(metric)?.get("method") : undefined;
      if (method) values.set("method", method);
    }
    known.set(record, values);
  }
  for (const { record = "", expr } of COMPAT_FILES.flatMap(readRules)) {
    // Only what such rules build on: a name that the goldens have keeps the labels that they have.
    if (!record.includes(":")) continue;
    const values = new Map(addedLabels(expr).map((label) => [label, new Set<string>()]));
    for (const { metric } of namesOf(expr).selectors) {
      for (const [label, seen] of known.get(metric) ?? []) values.set(label, seen);
    }
    known.set(record, values);
  }
  known.set("ALERTS", alertLabels(known));
  return known;
}

/** The labels that an expression adds by label_replace(). */
function addedLabels(expression: string): string[] {
  return [...expression.matchAll(/"(\w+)", "[^"]*", "\w+", "/g)].map(([, label = ""]) => label);
}

/** The labels of the series that Prometheus and vmalert keep of the alerts themselves. */
function alertLabels(known: ReadonlyMap<string, KnownMetric>): Map<string, Set<string>> {
  const labels = new Map([["alertstate", new Set(["pending", "firing"])], ["severity", new Set<string>()]]);
  for (const { alert = "", expr } of readRules("alerts.yml")) {
    labels.set("alertname", (labels.get("alertname") ?? new Set()).add(alert));
    for (const { metric } of namesOf(expr).selectors) {
      for (const label of known.get(metric)?.keys() ?? []) labels.set(label, labels.get(label) ?? new Set());
    }
  }
  return labels;
}

/** The labels in the level of a recording rule's name: `worker_job_id:…` has `worker` and `job_id`. */
export function levelLabels(record: string): string[] {
  const [level = ""] = record.split(":");
  const [, rest] = /^worker(?:_(\w+))?$/.exec(level) ?? [];
  return rest ? ["worker", rest] : ["worker"];
}

function addSample(known: Map<string, Map<string, Set<string>>>, line: string, job: string): void {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line);
  if (!match) return;
  const [, metric = "", labels = ""] = match;
  const values = known.get(metric) ?? new Map<string, Set<string>>();
  known.set(metric, values);
  const add = (label: string, value: string): void => {
    values.set(label, (values.get(label) ?? new Set()).add(value));
  };
  for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) add(label, value);
  add("job", job);
  for (const label of ["instance", "worker"]) values.set(label, new Set());
}

/** What an expression names that does not exist, in words. */
export function unknownNames(expression: string, known: ReadonlyMap<string, KnownMetric>): string[] {
  const { selectors, groupingLabels } = namesOf(expression);
  const problems: string[] = [];
  const labels = new Set(addedLabels(expression));
  for (const { metric, matchers } of selectors) {
    const series = known.get(metric);
    if (!series) {
      problems.push(`no metric ${metric}`);
      continue;
    }
    for (const label of series.keys()) labels.add(label);
    for (const { label, operator, value } of matchers) {
      const values = series.get(label);
      if (!values) problems.push(`${metric} has no label ${label}`);
      else if (!FREE_LABELS.has(label) && LITERALS_REGEXP.test(value) && operator.startsWith("=")) {
        for (const each of value.split("|")) {
          if (!values.has(each)) problems.push(`${metric} is never seen with ${label}="${each}"`);
        }
      }
    }
  }
  for (const label of groupingLabels) {
    if (!labels.has(label)) problems.push(`no metric in it has the label ${label}`);
  }
  return problems;
}
