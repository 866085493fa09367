/**
 * The page at `/`, for people: whether the exporter works, what to do if not, the values now with a live chart.
 *
 * Its script reads `/metrics` and `/health` of the same exporter and nothing else.
 *
 * @module
 */
import type { CollectorRunner } from "./collector.ts";
import type { Manifest, Project } from "./manifest.ts";
import styles from "./page/page.css" with { type: "text" };
import script from "./page/page.js" with { type: "text" };

/** How a number is written: with the unit's prefix or suffix. */
export type Unit = "W" | "J" | "B" | "B/s" | "s" | "%" | "ratio" | "°C" | "Hz" | "fps" | "x" | "";

/** A column of the table: the value of a metric in each row's series. */
export interface PageColumn {
  readonly metric: string;
  readonly title: string;
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

/** Headers of the page and of its assets: nothing but this exporter's own files may load or be asked. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

/** The files that the page loads. */
export const PAGE_ASSETS: readonly {
  readonly path: string;
  readonly contentType: string;
  readonly body: string;
}[] = [
  { path: "/page.css", contentType: "text/css; charset=utf-8", body: styles },
  { path: "/page.js", contentType: "text/javascript; charset=utf-8", body: script },
];

/** What {@linkcode renderPage} shows. */
export interface PageOptions {
  readonly manifest: Manifest;
  readonly project: Project;
  readonly page: PageDescription;
  readonly runners: readonly CollectorRunner[];
  readonly telemetryPath: string;
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
  const description = escapeHtml(JSON.stringify({ ...page, telemetryPath }));
  const others = project.exporters.filter(({ name }) => name !== manifest.name);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(page.title)}</title>
<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>
</head>
<body data-page="${description}">
<header>
<h1>${escapeHtml(page.title)}</h1>
<p>${escapeHtml(page.summary)}</p>
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
</section>
<section aria-labelledby="chart-title">
<h2 id="chart-title">Live</h2>
<div id="chart"></div>
</section>
<section aria-labelledby="table-title">
<h2 id="table-title">Now</h2>
<div id="table" class="scroll" tabindex="0" role="group" aria-label="Table of the values now"></div>
<noscript><p>The values are at <a href="${escapeHtml(telemetryPath)}">${
    escapeHtml(telemetryPath)
  }</a>; the chart needs script.</p></noscript>
</section>
</main>
<footer>
<p><a href="${escapeHtml(telemetryPath)}">Metrics</a> · <a href="/health">Health</a> ·
${manifest.artifact} ${escapeHtml(project.version)}</p>
<p>On this machine also: ${
    others.map(({ name, port, measures }) => `${name} (port ${port}, ${escapeHtml(measures)})`).join(", ")
  }</p>
</footer>
</body>
</html>
`;
}
