/**
 * The table of an exporter's own values: a row for each combination of its key labels.
 *
 * @module
 */
import { sparkline } from "./chart.js";
import { element } from "./dom.js";
import { format } from "./format.js";

/** Draws the table that `description` (PageDescription.table) asks for. */
export function drawTable(host, { key, columns }, families, history) {
  const idOf = (labels) => JSON.stringify(key.map((label) => labels[label]));
  const rows = new Map();
  for (const { metric, label } of columns) {
    for (const { labels, value } of families.get(metric) ?? []) {
      const id = idOf(labels);
      if (!rows.has(id)) rows.set(id, { labels, values: {} });
      if (label === undefined) rows.get(id).values[metric] ??= value;
      else if (value === 1) rows.get(id).values[metric] = labels[label];
    }
  }
  if (rows.size === 0) {
    host.replaceChildren(element("p", { class: "empty" }, "Nothing to show yet."));
    return;
  }
  const titles = [...key, "recent", ...columns.map(({ title }) => title)];
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  const charted = new Map([...history.series.values()].reverse().map((own) => [idOf(own.labels), own]));
  const body = [...rows].map(([id, { labels, values }]) =>
    element(
      "tr",
      {},
      ...key.map((label, index) =>
        index === 0
          ? element("th", { scope: "row" }, labels[label] ?? "")
          : element("td", {}, labels[label] ?? "")
      ),
      element("td", {}, sparkline(history, charted.get(id))),
      ...columns.map((column) => cell(column, values[column.metric])),
    )
  );
  host.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function cell({ unit, label }, value) {
  if (label !== undefined) return element("td", {}, value ?? "–");
  return element("td", { class: "number" }, value === undefined ? "–" : format(value, unit));
}
