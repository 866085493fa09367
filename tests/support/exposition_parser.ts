/**
 * A strict parser of the Prometheus text format 0.0.4 and of OpenMetrics 1.0, written from their specifications and
 * from nothing in lib/: a second opinion beside promtool, which knows no OpenMetrics and overlooks more.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 * https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 *
 * @module
 */

/** A sample of a page. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric family of a page. */
export interface Family {
  readonly name: string;
  type: string;
  help: string;
  readonly samples: Sample[];
}

type Page = "text" | "openmetrics";

const TYPES: Readonly<Record<Page, readonly string[]>> = {
  text: ["counter", "gauge", "histogram", "summary", "untyped"],
  openmetrics: ["counter", "gauge", "histogram", "summary", "info", "stateset", "gaugehistogram", "unknown"],
};
const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LINE_REGEXP = new RegExp(`^# (HELP|TYPE|UNIT) (${NAME}) (.*)$`, "s");
const SAMPLE_REGEXP = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`, "s");
const LABEL_REGEXP = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=.)|$)/s;
const NUMBER_REGEXP = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]?Inf|NaN)$/i;

/** Parses a page of the format that its content type names. @throws {SyntaxError} for a fault, with its line */
export function parseExposition(body: string, contentType: string): Map<string, Family> {
  if (/^text\/plain; version=0\.0\.4(?:;|$)/.test(contentType)) return new PageParser("text").parse(body);
  if (/^application\/openmetrics-text; version=1\.0\.0(?:;|$)/.test(contentType)) {
    return new PageParser("openmetrics").parse(body);
  }
  throw new SyntaxError(`unknown content type ${contentType}`);
}

class PageParser {
  readonly #page: Page;
  readonly #families = new Map<string, Family>();
  readonly #told = new Set<string>();
  readonly #series = new Set<string>();
  #current: Family | undefined;

  constructor(page: Page) {
    this.#page = page;
  }

  parse(body: string): Map<string, Family> {
    if (!body.isWellFormed()) throw new SyntaxError("the page is not valid Unicode");
    const lines = body.split("\n");
    if (lines.pop() !== "") throw new SyntaxError("the last line has no line feed");
    if (this.#page === "openmetrics" && lines.pop() !== "# EOF") {
      throw new SyntaxError("# EOF is not the last line");
    }
    for (const [index, line] of lines.entries()) {
      try {
        if (line.startsWith("#")) this.#describe(line);
        else this.#sample(line);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        throw new SyntaxError(`line ${index + 1}: ${error.message}: ${JSON.stringify(line)}`, {
          cause: error,
        });
      }
    }
    for (const family of this.#families.values()) checkFamily(family, this.#page);
    this.#checkNames();
    return this.#families;
  }

  #describe(line: string): void {
    const [, keyword, name = "", rest = ""] = LINE_REGEXP.exec(line) ?? [];
    if (!keyword) throw new SyntaxError("neither HELP, TYPE nor UNIT");
    const family = this.#enter(name);
    if (family.samples.length > 0) throw new SyntaxError(`${keyword} after a sample`);
    if (this.#told.has(`${keyword} ${name}`)) throw new SyntaxError(`a second ${keyword}`);
    this.#told.add(`${keyword} ${name}`);
    if (keyword === "HELP") {
      if (/(?<!\\)(?:\\\\)*\\(?!["n\\])/.test(rest)) throw new SyntaxError("an unknown escape");
      family.help = unescape(rest);
    } else if (keyword === "TYPE") {
      if (!TYPES[this.#page].includes(rest)) throw new SyntaxError("an unknown type");
      family.type = rest;
    } else if (this.#page === "text" || !name.endsWith(`_${rest}`)) {
      throw new SyntaxError("the unit is no suffix of the name");
    }
  }

  /** A family's lines stand together. */
  #enter(name: string): Family {
    if (this.#current?.name === name) return this.#current;
    if (this.#families.has(name)) throw new SyntaxError(`${name} comes back after another family`);
    const family: Family = { name, type: "", help: "", samples: [] };
    this.#families.set(name, family);
    return this.#current = family;
  }

  #sample(line: string): void {
    const [, name = "", labelText = "", number = ""] = SAMPLE_REGEXP.exec(line) ?? [];
    const suffixes = suffixesOf(this.#current?.type ?? "", this.#page);
    const belongs = suffixes.some((suffix) => `${this.#current?.name}${suffix}` === name);
    if (!name || !belongs || !this.#current) {
      throw new SyntaxError("no sample of the family described before it");
    }
    if (!NUMBER_REGEXP.test(number)) throw new SyntaxError("no number");
    const labels = parseLabels(labelText);
    const key = JSON.stringify([name, Object.entries(labels).sort()]);
    if (this.#series.has(key)) throw new SyntaxError("a second sample of the same series");
    this.#series.add(key);
    const value = Number(number.replace(/inf/i, "Infinity"));
    this.#current.samples.push({ name, labels, value });
  }

  /** No family may be taken for a part of another. */
  #checkNames(): void {
    for (const { name, type } of this.#families.values()) {
      for (const suffix of suffixesOf(type, this.#page)) {
        if (suffix && this.#families.has(`${name}${suffix}`)) {
          throw new SyntaxError(`${name}${suffix} is a family and a sample of ${name}`);
        }
      }
    }
  }
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest;) {
    const [whole = "", name = "", value = ""] = LABEL_REGEXP.exec(rest) ?? [];
    if (!whole) throw new SyntaxError("malformed labels");
    if (Object.hasOwn(labels, name)) throw new SyntaxError(`the label ${name} comes twice`);
    if (name.startsWith("__")) throw new SyntaxError(`the label ${name} is reserved`);
    labels[name] = unescape(value);
    rest = rest.slice(whole.length);
  }
  return labels;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, character) => character === "n" ? "\n" : character);
}

/** What is put behind a family's name in the names of its samples. */
function suffixesOf(type: string, page: Page): readonly string[] {
  switch (type) {
    case "histogram":
      return ["_bucket", "_sum", "_count"];
    case "summary":
      return ["", "_sum", "_count"];
    case "counter":
      return page === "openmetrics" ? ["_total"] : [""];
    case "info":
      return ["_info"];
  }
  return [""];
}

function checkFamily({ name, type, help, samples }: Family, page: Page): void {
  const fail = (fault: string): never => {
    throw new SyntaxError(`${name}: ${fault}`);
  };
  if (!type) fail("no TYPE");
  if (!help) fail("no HELP");
  if (samples.length === 0) fail("no samples");
  if (type === "counter") {
    if (name.endsWith("_total") === (page === "openmetrics")) fail("_total is on the wrong name");
    if (samples.some(({ value }) => !(value >= 0))) fail("a counter below zero");
  }
  if (type === "gauge" && name.endsWith("_total")) fail("_total is for counters");
  if (type !== "histogram") return;
  const points = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  for (const [labels, point] of points) {
    const buckets = point.filter((sample) => sample.name.endsWith("_bucket"));
    const bounds = buckets.map((sample) => sample.labels.le ?? fail(`no le on ${labels}`));
    const count = point.find((sample) => sample.name.endsWith("_count"))?.value;
    if (bounds.at(-1) !== "+Inf") fail(`the last bucket of ${labels} is not +Inf`);
    if (buckets.at(-1)?.value !== count) fail(`the last bucket of ${labels} is not the count`);
    if (point.length !== buckets.length + 2) fail(`no sum or count of ${labels}`);
    if (page === "openmetrics" && bounds.some((bound) => /^-?\d+$/.test(bound))) fail(`a bound without .0`);
    for (let index = 1; index < buckets.length; index++) {
      const [lower, upper] = [Number(bounds[index - 1]), Number(bounds[index]?.replace("+Inf", "Infinity"))];
      if (!(lower < upper)) fail(`the bounds of ${labels} do not rise`);
      if (!((buckets[index]?.value ?? NaN) >= (buckets[index - 1]?.value ?? NaN))) {
        fail(`the counts of ${labels} fall`);
      }
    }
  }
}
