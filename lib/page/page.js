/**
 * The page at `/`: asks this exporter and its neighbours of the same host every two seconds, and draws the worker
 * and this exporter's own values.
 *
 * Neighbours are asked on their usual ports; one that listens elsewhere is named in the page's address, as in
 * `/?gpu=19511`.
 *
 * @module
 */
import { drawChart } from "./chart.js";
import { element } from "./dom.js";
import { ExporterClient } from "./exporter_client.js";
import { History } from "./history.js";
import { drawTable } from "./table.js";
import { describeWorker } from "./worker_model.js";
import { drawFigures, drawJobs } from "./worker_view.js";

const PERIOD_MS = 2000;

const page = JSON.parse(document.body.dataset.page);
/** A content security policy cannot name an IPv6 address, so there the others are links only. */
const CAN_ASK_OTHERS = !location.hostname.startsWith("[");
const own = new ExporterClient("", page.telemetryPath);
const neighbours = page.neighbours.map(({ name, port }) => {
  const moved = Number(new URLSearchParams(location.search).get(name));
  const url = new URL(location.origin);
  url.port = String(moved > 0 && moved < 65_536 ? moved : port);
  return { name, url: url.origin, client: new ExporterClient(url.origin, "/metrics") };
});
const history = new History((labels) => page.chart.labels.map((label) => labels[label]).join(" "));
const figureHistory = new History(({ id }) => id);

/** Reports whether all works; written only on a change, so that a screen reader speaks only then. */
function drawStatus(className, text, problems) {
  const status = document.getElementById("status");
  if (status.textContent !== text) status.textContent = text;
  status.className = className;
  drawList("problems", problems.map((problem) => [problem]));
}

/** Writes a list of texts and links where it differs from what is shown. */
function drawList(id, items) {
  const list = document.getElementById(id);
  const key = JSON.stringify(items.map((parts) => parts.map((part) => part.outerHTML ?? part)));
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...items.map((parts) => element("li", {}, ...parts)));
}

/** Where each neighbour's own page is, and which of them do not answer. */
function drawNeighbours(answers) {
  drawList(
    "neighbours",
    neighbours.map(({ name, url }, index) => [
      element("a", { href: `${url}/` }, name),
      answers[index] ? "" : CAN_ASK_OTHERS ? ` does not answer at ${url}, or asks for a password` : "",
    ]),
  );
}

function drawWorker(answer, answers) {
  const exporters = { [page.name]: answer.families };
  const problems = reasonsOf(answer.report).map((reason) => [page.name, reason]);
  neighbours.forEach(({ name }, index) => {
    if (!answers[index]) return;
    exporters[name] = answers[index].families;
    problems.push(...reasonsOf(answers[index].report).map((reason) => [name, reason]));
  });
  const { figures, jobs } = describeWorker(exporters);
  figureHistory.add(
    Date.now(),
    figures.flatMap(({ id, number }) => number === undefined ? [] : [{ labels: { id }, value: number }]),
  );
  drawFigures(document.getElementById("figures"), figures, figureHistory);
  drawJobs(document.getElementById("jobs"), jobs);
  drawList("attention", jobs.flatMap(({ id, note }) => note ? [[`Job ${id} ${note}`]] : []));
  drawNeighbours(answers);
  const isOk = problems.length === 0 && answer.report.status === "ok";
  const texts = problems.map(([name, reason]) => name === page.name ? reason : `${name}: ${reason}`);
  drawStatus(isOk ? "ok" : "degraded", isOk ? "Working" : "Degraded", texts);
}

function reasonsOf({ sources }) {
  return sources.map(({ reason }) => reason).filter(Boolean);
}

function draw(answer, answers) {
  const startedMs = performance.now();
  drawWorker(answer, answers);
  history.add(Date.now(), answer.families.get(page.chart.metric) ?? []);
  drawChart(document.getElementById("chart"), history, page.chart.unit);
  drawTable(document.getElementById("table"), page.table, answer.families, history);
  performance.clearMeasures();
  performance.measure("drawing", { start: startedMs });
}

async function refresh() {
  let answer;
  let answers;
  try {
    const others = Promise.all(
      neighbours.map(({ client }) => CAN_ASK_OTHERS ? client.askQuietly() : undefined),
    );
    answer = await own.ask();
    answers = await others;
  } catch (error) {
    drawStatus("unreachable", "The exporter does not answer", [String(error.message ?? error)]);
    return;
  }
  try {
    draw(answer, answers);
  } catch (error) {
    drawStatus("unreachable", "This page cannot draw the values", [
      `${error.message ?? error}: the exporter works, and its values are at ${page.telemetryPath}`,
    ]);
  }
}

/** Fills the chart with what the exporter remembers. */
async function recall() {
  try {
    const { ages_ms, series } = await (await own.get("/page/history.json", {})).json();
    const nowMs = Date.now();
    ages_ms.forEach((ageMs, index) => {
      const samples = series.map(({ labels, values }) => ({ labels, value: values[index] }));
      history.add(nowMs - ageMs, samples.filter(({ value }) => value !== null));
    });
  } catch {
    // Without it the chart begins empty; what keeps the exporter from answering is shown by the next reading.
  }
}

async function run() {
  await refresh();
  setTimeout(run, PERIOD_MS);
}

document.getElementById("hostname").textContent = location.hostname;
await recall();
run();
