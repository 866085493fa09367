/**
 * Parses Prometheus's text format, as far as exporters of this project write it.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * @module
 */

const SAMPLE_REGEXP = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/s;
const LABEL_REGEXP = /([a-zA-Z_]\w*)="((?:\\.|[^"\\])*)"/gs;

/** Returns metric name -> [{labels, value}]. */
export function parseMetrics(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : SAMPLE_REGEXP.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(LABEL_REGEXP)) {
      labels[name] = value.replace(/\\(.)/gs, (_, escaped) => escaped === "n" ? "\n" : escaped);
    }
    if (!families.has(match[1])) families.set(match[1], []);
    families.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return families;
}
