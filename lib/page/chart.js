/**
 * Draws series over time: the large chart with its legend, and the small lines in tables and figures.
 *
 * @module
 */
import { element, svg } from "./dom.js";
import { format } from "./format.js";
import { highestOf, pathOf } from "./history.js";

const COLOURS = 8;
const LEGEND_ENTRIES = 24;
const SIZE = { height: 240, left: 64, bottom: 22, top: 8 };

/** Draws all series of a history, each in a colour. */
export function drawChart(host, history, unit) {
  const lines = [...history.series];
  if (lines.length === 0) {
    host.replaceChildren(element("p", { class: "empty" }, "No values to draw."));
    return;
  }
  const { height, left, bottom, top } = SIZE;
  const width = Math.max(host.clientWidth, 240);
  const highest = highestOf(lines.map(([, { points }]) => points));
  const x = (timeMs) => left + (width - left) * history.share(timeMs);
  const y = (value) => top + (height - top - bottom) * (1 - Math.max(value, 0) / (highest * 1.05));
  const now = lines.flatMap(([name, { points }]) => {
    const value = points.at(-1)[1];
    return value === null ? [] : [`${name} ${format(value, unit)}`];
  });
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": now.slice(0, 20).join(", "),
  });
  for (const share of [0, 0.5, 1]) {
    const level = y(highest * share);
    drawing.append(
      svg("line", { class: "grid", x1: left, x2: width, y1: level, y2: level }),
      svg("text", { x: left - 6, y: level + 4, "text-anchor": "end" }, format(highest * share, unit)),
    );
  }
  drawing.append(
    svg("text", { x: left, y: height - 4 }, `${Math.round(history.spanMs / 1000)} s ago`),
    svg("text", { x: width, y: height - 4, "text-anchor": "end" }, "now"),
  );
  const legend = element("ul", { id: "legend" });
  lines.forEach(([name, { points }], index) => {
    const colour = `c${index % COLOURS}`;
    drawing.append(svg("path", { class: colour, d: pathOf(points, x, y) }));
    if (index >= LEGEND_ENTRIES) return;
    const dot = svg("circle", { class: colour, cx: 5, cy: 5, r: 4 });
    legend.append(element("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, dot), name));
  });
  if (lines.length > LEGEND_ENTRIES) {
    legend.append(element("li", { class: "empty" }, `and ${lines.length - LEGEND_ENTRIES} more`));
  }
  host.replaceChildren(drawing, legend);
}

/** One series as a small line; an empty text where there is none yet. */
export function sparkline(history, own) {
  if (!own || own.points.length < 2) return "";
  const highest = highestOf([own.points]);
  const path = pathOf(
    own.points,
    (timeMs) => 100 * history.share(timeMs),
    (value) => 19 - 18 * Math.max(value, 0) / highest,
  );
  return svg("svg", {
    class: "spark",
    viewBox: "0 0 100 20",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  }, svg("path", { class: "c0", d: path }));
}
