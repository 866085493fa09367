/**
 * The script of the page at `/`: reads this exporter's metrics and health every two seconds and draws them.
 *
 * @module
 */
const PERIOD_MS = 2000;
/** Ticks that are kept, and the fewest that the time axis spans. */
const POINTS = 150;
const LEAST_POINTS = 15;
const COLOURS = 8;
const CHART = { height: 240, left: 64, bottom: 22, top: 8 };

const page = JSON.parse(document.body.dataset.page);
const history = new Map();
let ticks = 0;

const SAMPLE_REGEXP = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/s;
const LABEL_REGEXP = /([a-zA-Z_]\w*)="((?:\\.|[^"\\])*)"/g;

/** Parses the text format into metric name -> [{labels, value}]. */
function parseMetrics(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : SAMPLE_REGEXP.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(LABEL_REGEXP)) {
      labels[name] = value.replace(/\\(.)/g, (_, escaped) => escaped === "n" ? "\n" : escaped);
    }
    if (!families.has(match[1])) families.set(match[1], []);
    families.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return families;
}

const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"]];

/** Writes a value for people: `12.3 W`, `1.20 GB`, `45.0 %`. */
function format(value, unit = "") {
  if (unit === "ratio") return `${(value * 100).toFixed(1)} %`;
  if (unit === "%") return `${value.toFixed(1)} %`;
  if (unit === "s" && Math.abs(value) >= 120) {
    const seconds = Math.round(value);
    return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  }
  if (unit === "" || unit === "°C" || unit === "x" || unit === "fps") {
    const text = Number.isInteger(value) ? String(value) : value.toFixed(2);
    return unit ? `${text} ${unit}` : text;
  }
  if (value === 0) return `0 ${unit}`;
  const [scale, prefix] = PREFIXES.find(([scale]) => Math.abs(value) >= scale) ?? PREFIXES.at(-1);
  return `${(value / scale).toPrecision(3)} ${prefix}${unit}`;
}

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Adds this tick's values of the charted metric; a series that is absent leaves a gap. */
function remember(samples) {
  ticks++;
  for (const { labels, value } of samples) {
    const name = page.chart.labels.map((label) => labels[label]).join(" ");
    if (!history.has(name)) history.set(name, { labels, points: [] });
    history.get(name).points.push([ticks, value]);
  }
  for (const [name, { points }] of history) {
    while (points.length > 0 && points[0][0] <= ticks - POINTS) points.shift();
    if (points.length === 0) history.delete(name);
  }
}

/** An SVG path through points, broken where a tick is missing. */
function pathOf(points, x, y) {
  let path = "";
  let previous = -1;
  for (const [tick, value] of points) {
    path += `${tick === previous + 1 ? "L" : "M"}${x(tick).toFixed(1)} ${y(value).toFixed(1)}`;
    previous = tick;
  }
  return path;
}

/** The highest value of many series: more than a call can take as arguments. */
function highestOf(series) {
  let highest = 1e-9;
  for (const points of series) {
    for (const [, value] of points) highest = Math.max(highest, value);
  }
  return highest;
}

/** Ticks that the time axis spans: as many as there were, within bounds. */
function span() {
  return Math.min(Math.max(ticks, LEAST_POINTS), POINTS);
}

/** Where a tick lies on the time axis: 1 is now, 0 the oldest shown. */
function shareOfSpan(tick) {
  return 1 - (ticks - tick) / (span() - 1);
}

function drawChart() {
  const host = document.getElementById("chart");
  const lines = [...history].filter(([, { points }]) => points.length > 0);
  if (lines.length === 0) {
    host.replaceChildren(element("p", { class: "empty" }, "No values to draw."));
    return;
  }
  const { height, left, bottom, top } = CHART;
  const width = Math.max(host.clientWidth, 240);
  const highest = highestOf(lines.map(([, { points }]) => points));
  const x = (tick) => left + (width - left) * shareOfSpan(tick);
  const y = (value) => top + (height - top - bottom) * (1 - Math.max(value, 0) / (highest * 1.05));
  const summary = lines.map(([name, { points }]) => `${name} ${format(points.at(-1)[1], page.chart.unit)}`)
    .slice(0, 20);
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": summary.join(", "),
  });
  for (const share of [0, 0.5, 1]) {
    drawing.append(
      svg("line", { class: "grid", x1: left, x2: width, y1: y(highest * share), y2: y(highest * share) }),
      svg(
        "text",
        { x: left - 6, y: y(highest * share) + 4, "text-anchor": "end" },
        format(highest * share, page.chart.unit),
      ),
    );
  }
  drawing.append(
    svg("text", { x: left, y: height - 4 }, `${span() * PERIOD_MS / 1000} s ago`),
    svg("text", { x: width, y: height - 4, "text-anchor": "end" }, "now"),
  );
  const legend = element("ul", { id: "legend" });
  lines.forEach(([name, { points }], index) => {
    const colour = `c${index % COLOURS}`;
    drawing.append(svg("path", { class: colour, d: pathOf(points, x, y) }));
    if (index < 24) {
      const mark = svg(
        "svg",
        { viewBox: "0 0 10 10", "aria-hidden": "true" },
        svg("circle", { class: colour, cx: 5, cy: 5, r: 4 }),
      );
      legend.append(element("li", {}, mark, name));
    }
  });
  if (lines.length > 24) legend.append(element("li", { class: "empty" }, `and ${lines.length - 24} more`));
  host.replaceChildren(drawing, legend);
}

/** Identifies a row by the values of the table's key. */
function rowId(labels) {
  return JSON.stringify(page.table.key.map((label) => labels[label]));
}

/** The last minutes of one row's series, as a small line. */
function sparkline(own) {
  if (!own || own.points.length < 2) return "";
  const highest = highestOf([own.points]);
  const path = pathOf(
    own.points,
    (tick) => 100 * shareOfSpan(tick),
    (value) => 19 - 18 * Math.max(value, 0) / highest,
  );
  return svg("svg", {
    class: "spark",
    viewBox: "0 0 100 20",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  }, svg("path", { class: "c0", d: path }));
}

function drawTable(families) {
  const { key, columns } = page.table;
  const rows = new Map();
  for (const { metric, label } of columns) {
    for (const { labels, value } of families.get(metric) ?? []) {
      const id = rowId(labels);
      if (!rows.has(id)) rows.set(id, { labels, values: {} });
      if (label === undefined) rows.get(id).values[metric] ??= value;
      else if (value === 1) rows.get(id).values[metric] = labels[label];
    }
  }
  const host = document.getElementById("table");
  if (rows.size === 0) {
    host.replaceChildren(element("p", { class: "empty" }, "Nothing to show yet."));
    return;
  }
  const head = element("tr", {}, ...key.map((label) => element("th", { scope: "col" }, label)));
  head.append(
    element("th", { scope: "col" }, "recent"),
    ...columns.map(({ title }) => element("th", { scope: "col" }, title)),
  );
  const charted = new Map([...history.values()].reverse().map((own) => [rowId(own.labels), own]));
  const body = [...rows].map(([id, { labels, values }]) => {
    const names = key.map((label, index) =>
      element(index === 0 ? "th" : "td", index === 0 ? { scope: "row" } : {}, labels[label] ?? "")
    );
    const cells = columns.map(({ metric, unit, label }) =>
      label === undefined
        ? element(
          "td",
          { class: "number" },
          values[metric] === undefined ? "–" : format(values[metric], unit),
        )
        : element("td", {}, values[metric] ?? "–")
    );
    return element("tr", {}, ...names, element("td", {}, sparkline(charted.get(id))), ...cells);
  });
  host.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

/** Says whether it works; written only on a change, so that a screen reader speaks only then. */
function drawStatus(className, text, problems) {
  const status = document.getElementById("status");
  if (status.textContent !== text) status.textContent = text;
  status.className = className;
  const list = document.getElementById("problems");
  const shown = [...list.children].map((item) => item.textContent);
  if (JSON.stringify(shown) !== JSON.stringify(problems)) {
    list.replaceChildren(...problems.map((problem) => element("li", {}, problem)));
  }
}

/** Asks the exporter; throws where it does not answer. */
async function ask() {
  const [metrics, health] = await Promise.all([
    fetch(page.telemetryPath, { headers: { accept: "text/plain" } }),
    fetch("/health"),
  ]);
  if (!metrics.ok) throw new Error(`${page.telemetryPath} answers ${metrics.status}`);
  return { report: await health.json(), text: await metrics.text() };
}

function draw({ report, text }) {
  const reasons = report.sources.map(({ reason }) => reason).filter(Boolean);
  drawStatus(report.status, report.status === "ok" ? "Working" : "Degraded", reasons);
  const startedMs = performance.now();
  const families = parseMetrics(text);
  remember(families.get(page.chart.metric) ?? []);
  drawChart();
  drawTable(families);
  performance.clearMeasures();
  performance.measure("drawing", { start: startedMs });
}

async function refresh() {
  let answer;
  try {
    answer = await ask();
  } catch (error) {
    drawStatus("unreachable", "The exporter does not answer", [String(error.message ?? error)]);
    return;
  }
  try {
    draw(answer);
  } catch (error) {
    drawStatus("unreachable", "This page cannot draw the values", [
      `${error.message ?? error}: the exporter works, and its values are at ${page.telemetryPath}`,
    ]);
  }
}

async function run() {
  await refresh();
  setTimeout(run, PERIOD_MS);
}

run();
