/**
 * Draws the worker: its figures as tiles, its jobs as a table.
 *
 * @module
 */
import { sparkline } from "./chart.js";
import { element } from "./dom.js";
import { format } from "./format.js";

const COLUMNS = ["Job", "State", "Speed", "Frames per second", "Done", "Behind realtime"];

/** Draws one tile for each figure, with its recent values as a small line. */
export function drawFigures(host, figures, history) {
  host.replaceChildren(...figures.map(({ id, title, value, detail, isBad }) =>
    element(
      "div",
      { class: isBad ? "tile bad" : "tile", id: `figure-${id}` },
      element("dt", {}, title),
      element(
        "dd",
        {},
        element("strong", {}, value ?? "–"),
        element("span", {}, detail ?? ""),
        sparkline(history, history.series.get(id)),
      ),
    )
  ));
}

/** Draws the jobs, those that need attention first. */
export function drawJobs(host, jobs) {
  if (jobs.length === 0) {
    host.replaceChildren(element("p", { class: "empty" }, "No job is running."));
    return;
  }
  const head = element("tr", {}, ...COLUMNS.map((title) => element("th", { scope: "col" }, title)));
  const body = jobs.map(({ id, state, speed, fps, progress, deficit, note }) =>
    element(
      "tr",
      note ? { class: "bad" } : {},
      element("th", { scope: "row" }, id),
      element("td", {}, state),
      number(speed, "x"),
      number(fps, "fps"),
      number(progress, "ratio"),
      number(deficit, "s"),
    )
  );
  host.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function number(value, unit) {
  return element("td", { class: "number" }, value === undefined ? "–" : format(value, unit));
}
