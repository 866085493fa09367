/**
 * The page at `/`, for people: whether the exporter works, what to do if not, the values now with a live chart.
 *
 * Its script reads `/metrics` and `/health` of this exporter and of its neighbours on the same host, to show the worker
 * as a whole, and nothing else.
 *
 * @module
 */
import type { CollectorRunner } from "./collector.ts";
import type { Manifest, Project } from "./manifest.ts";
import chart from "./page/chart.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import exporterClient from "./page/exporter_client.js" with { type: "text" };
import format from "./page/format.js" with { type: "text" };
import history from "./page/history.js" with { type: "text" };
import metricsText from "./page/metrics_text.js" with { type: "text" };
import styles from "./page/page.css" with { type: "text" };
import script from "./page/page.js" with { type: "text" };
import table from "./page/table.js" with { type: "text" };
import workerModel from "./page/worker_model.js" with { type: "text" };
import workerView from "./page/worker_view.js" with { type: "text" };

/** How a number is written: with the unit's prefix or suffix. */
export type Unit = "W" | "J" | "B" | "B/s" | "s" | "%" | "ratio" | "°C" | "Hz" | "fps" | "x" | "";

/** A column of the table: the value of a metric in each row's series. */
export interface PageColumn {
  /** Name of the metric. */
  readonly metric: string;
  /** What people read above it. */
  readonly title: string;
  /** Unit of the values. */
  readonly unit?: Unit;
  /** Shows this label of the series that has the value 1, in place of the value: a state. */
  readonly label?: string;
}

/** What an exporter's page shows of its metrics. */
export interface PageDescription {
  /** Name of what is measured, in a few words. */
  readonly title: string;
  /** What it is for, in a sentence. */
  readonly summary: string;
  /** A line for each series of a metric, over the last minutes, named by the values of `labels`. */
  readonly chart: { readonly metric: string; readonly unit: Unit; readonly labels: readonly string[] };
  /** A row for each combination of the `key` labels. */
  readonly table: { readonly key: readonly string[]; readonly columns: readonly PageColumn[] };
}

const SCRIPTS: Readonly<Record<string, string>> = {
  "chart.js": chart,
  "dom.js": dom,
  "exporter_client.js": exporterClient,
  "format.js": format,
  "history.js": history,
  "metrics_text.js": metricsText,
  "page.js": script,
  "table.js": table,
  "worker_model.js": workerModel,
  "worker_view.js": workerView,
};

/** The files that the page loads, below `/page/`. */
export const PAGE_ASSETS: readonly {
  readonly path: string;
  readonly contentType: string;
  readonly body: string;
}[] = [
  { path: "/page/page.css", contentType: "text/css; charset=utf-8", body: styles },
  ...Object.entries(SCRIPTS).map(([name, body]) => ({
    path: `/page/${name}`,
    contentType: "text/javascript; charset=utf-8",
    body,
  })),
];

/**
 * Headers of the page and of its assets: only this exporter's own files are loaded, and only exporters of the host that
 * the page is of are asked.
 *
 * @param host the request's Host header
 */
export function pageHeaders(host: string | undefined): Record<string, string> {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
      `connect-src ${connectSources(host)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
  };
}

/** Every port of the page's own host. A policy cannot name an IPv6 address, so there the page asks only itself. */
function connectSources(host: string | undefined): string {
  const [, name] = /^([a-z0-9.-]+)(?::\d+)?$/i.exec(host ?? "") ?? [];
  return name ? `'self' http://${name}:* https://${name}:*` : "'self'";
}

/** What {@linkcode renderPage} shows. */
export interface PageOptions {
  /** The exporter. */
  readonly manifest: Manifest;
  /** The project it belongs to. */
  readonly project: Project;
  /** What its page shows. */
  readonly page: PageDescription;
  /** The sources, each with its last state. */
  readonly runners: readonly CollectorRunner[];
  /** Path of the metrics page. */
  readonly telemetryPath: string;
  /** What is simulated, where the sources are. */
  readonly simulated?: string | undefined;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

/** Renders the page with the state of each source as it is now; the script fills in the values. */
export function renderPage(options: PageOptions): string {
  const { manifest, project, page, runners, telemetryPath, simulated } = options;
  const statuses = runners.map((runner) => runner.status);
  const ok = statuses.every(({ up, problems }) => up && problems.length === 0);
  const problems = statuses.flatMap(({ problems }) => problems.map(({ message }) => message));
  const neighbours = project.exporters.filter(({ name }) => name !== manifest.name);
  const data = {
    ...page,
    name: manifest.name,
    telemetryPath,
    neighbours: neighbours.map(({ name, port }) => ({ name, port })),
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(page.title)}</title>
<link rel="stylesheet" href="/page/page.css">
<script type="module" src="/page/page.js"></script>
</head>
<body data-page="${escapeHtml(JSON.stringify(data))}">
<header>
<h1>Worker <span id="hostname"></span></h1>
${
    simulated
      ? `<p class="simulated" role="note">Simulated: ${escapeHtml(simulated)}. No value here is real.</p>`
      : ""
  }
</header>
<main>
<section aria-labelledby="status-title">
<h2 id="status-title">Status</h2>
<p id="status" role="status" class="${ok ? "ok" : "degraded"}">${ok ? "Working" : "Degraded"}</p>
<ul id="problems">${problems.map((message) => `<li>${escapeHtml(message)}</li>`).join("")}</ul>
<ul id="attention"></ul>
<dl id="figures"></dl>
</section>
<section aria-labelledby="jobs-title">
<h2 id="jobs-title">Jobs now</h2>
<div id="jobs" class="scroll" tabindex="0" role="group" aria-label="Table of the jobs"></div>
</section>
<section aria-labelledby="chart-title">
<h2 id="chart-title">${escapeHtml(page.title)}</h2>
<p>${escapeHtml(page.summary)}</p>
<div id="chart"></div>
<div id="table" class="scroll" tabindex="0" role="group" aria-label="Table of the values now"></div>
<noscript><p>The values are at <a href="${escapeHtml(telemetryPath)}">${
    escapeHtml(telemetryPath)
  }</a>; figures and chart need script.</p></noscript>
</section>
</main>
<footer>
<p><a href="${escapeHtml(telemetryPath)}">Metrics</a> · <a href="/health">Health</a> ·
${manifest.artifact} ${escapeHtml(project.version)}</p>
<p>Other exporters of this worker:</p>
<ul id="neighbours">${
    neighbours.map(({ name, port, measures }) => `<li>${name} (port ${port}, ${escapeHtml(measures)})</li>`)
      .join("")
  }</ul>
</footer>
</body>
</html>
`;
}
