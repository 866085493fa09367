/**
 * The HTTP side that all exporters share: `/metrics`, `/health`, the page at `/`.
 *
 * Health for tools follows https://prometheus.io/docs/prometheus/latest/management_api/
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { CollectorRunner, SourceStatus } from "./collector.ts";
import { CONTENT_TYPE, Exposition, type Format, type Snapshot } from "./exposition.ts";
import type { Manifest, Project } from "./manifest.ts";
import { negotiate } from "./negotiate.ts";
import type { HistoryReport } from "./history.ts";
import { PAGE_ASSETS, type PageDescription, pageHeaders, renderPage } from "./page.ts";

/** Longest a scrape waits for its sources where the scraper names no time-out, in milliseconds. */
export const DEFAULT_DEADLINE_MS = 9_500;
/** Taken off the scraper's time-out for sending the page, in milliseconds. */
const DEADLINE_MARGIN_MS = 500;
/** Least time that a scrape waits, in milliseconds: as long as for a time-out of a second. */
const MIN_DEADLINE_MS = 500;
/** Longest that `/health` and the page wait for fresh data, in milliseconds. */
const HEALTH_DEADLINE_MS = 30;
/** Scrapes under way at once; one more is refused. */
export const MAX_SCRAPES = 40;

/** What the server shows. */
export interface ServerOptions {
  readonly manifest: Manifest;
  readonly project: Project;
  readonly runners: readonly CollectorRunner[];
  readonly page: PageDescription;
  /** The process's own metrics. */
  readonly self: { readonly snapshot: Snapshot };
  /** What the chart begins with. */
  readonly history: { report(): HistoryReport };
  /** Path of the metrics page. */
  readonly telemetryPath: string;
  /** What is simulated, where the sources are. */
  readonly simulated?: string | undefined;
  /** Routes of the exporter's own, asked first. */
  readonly handle?:
    | ((
      request: Request,
      info: Deno.ServeHandlerInfo<Deno.NetAddr>,
    ) => Response | Promise<Response> | undefined)
    | undefined;
}

type Handler = (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => Response | Promise<Response>;

/** Returns the handler for `Deno.serve`. */
export function createHandler(options: ServerOptions): Handler {
  const metrics = createMetricsRoute(options);
  const health = createHealthRoute(options);
  const routes: Record<string, (request: Request) => Response | Promise<Response>> = {
    "/health": health,
    "/-/healthy": () => plainText("Healthy\n"),
    "/-/ready": () => plainText("Ready\n"),
    "/": async (request) => {
      await settle(options.runners);
      return new Response(renderPage(options), { headers: pageHeaders(request.headers.get("host")) });
    },
    "/page/history.json": () =>
      Response.json(options.history.report(), { headers: { "cache-control": "no-store" } }),
    [options.telemetryPath]: metrics,
  };
  for (const { path, contentType, body } of PAGE_ASSETS) {
    routes[path] = (request) =>
      new Response(body, {
        headers: { ...pageHeaders(request.headers.get("host")), "content-type": contentType },
      });
  }
  return (request, info) => {
    const own = options.handle?.(request, info);
    if (own) return own;
    const route = Object.hasOwn(routes, pathOf(request.url)) ? routes[pathOf(request.url)] : undefined;
    if (!route) return plainText("Not found: see / for what there is\n", STATUS_CODE.NotFound);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return plainText("Method not allowed\n", STATUS_CODE.MethodNotAllowed, { allow: "GET, HEAD" });
    }
    const answer = route(request);
    return request.headers.has("origin") ? shareWithHost(request, answer) : answer;
  };
}

/** Lets pages of this host's other exporters read an answer, and no other page. */
async function shareWithHost(request: Request, answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer;
  const origin = URL.parse(request.headers.get("origin") ?? "");
  const host = URL.parse(`http://${request.headers.get("host")}`);
  response.headers.append("vary", "origin");
  if (origin && host && origin.hostname === host.hostname) {
    response.headers.set("access-control-allow-origin", origin.origin);
  }
  return response;
}

/** The path of an absolute URL, without the cost of parsing the rest. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

function plainText(
  body: string,
  status: number = STATUS_CODE.OK,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
}

/** A page as it is sent. */
interface Representable {
  readonly snapshots: readonly Snapshot[];
  readonly text: string;
  gzipped?: Promise<Uint8Array<ArrayBuffer>>;
}

function createMetricsRoute(options: ServerOptions): (request: Request) => Response | Promise<Response> {
  const exposition = new Exposition();
  const last: Partial<Record<Format, Representable>> = {};
  let underWay = 0;

  /** The last page again, if nothing was read since; this is what most scrapers of a busy exporter get. */
  function pageOf(snapshots: readonly Snapshot[], format: Format): Representable | Promise<Representable> {
    const known = last[format];
    if (known && isSame(known.snapshots, snapshots)) return known;
    return exposition.render(snapshots, format).then((text) => last[format] = { snapshots, text });
  }

  function answer(statuses: readonly SourceStatus[], request: Request): Response | Promise<Response> {
    const { format, gzip } = negotiate(request);
    const snapshots = statuses.flatMap((status) => status.snapshots);
    snapshots.push(options.self.snapshot);
    const page = pageOf(snapshots, format);
    return page instanceof Promise ? page.then((page) => send(page, format, gzip)) : send(page, format, gzip);
  }

  return (request) => {
    if (underWay >= MAX_SCRAPES) {
      return plainText("Too many scrapes at once\n", STATUS_CODE.ServiceUnavailable, { "retry-after": "1" });
    }
    const deadlineMs = deadlineOf(request);
    const statuses = options.runners.map((runner) => runner.run(deadlineMs));
    if (isSettled(statuses)) return answer(statuses, request);
    underWay++;
    return Promise.all(statuses).then((settled) => answer(settled, request)).finally(() => underWay--);
  };
}

function isSettled(statuses: readonly (SourceStatus | Promise<SourceStatus>)[]): statuses is SourceStatus[] {
  return !statuses.some((status) => status instanceof Promise);
}

function send(page: Representable, format: Format, gzip: boolean): Response | Promise<Response> {
  const headers = { "content-type": CONTENT_TYPE[format], vary: "accept, accept-encoding" };
  if (!gzip) return new Response(page.text, { headers });
  return (page.gzipped ??= compress(page.text)).then((body) =>
    new Response(body, { headers: { ...headers, "content-encoding": "gzip" } })
  );
}

function isSame(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

/** How long this scrape may take: the scraper's own time-out less a margin. */
function deadlineOf(request: Request): number {
  const seconds = Number(request.headers.get("x-prometheus-scrape-timeout-seconds") ?? NaN);
  if (!(seconds > 0)) return DEFAULT_DEADLINE_MS;
  return Math.min(Math.max(seconds * 1000 - DEADLINE_MARGIN_MS, seconds * 500, MIN_DEADLINE_MS), 60_000);
}

async function compress(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const body = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** Gives the sources a moment to answer; what they said last holds where they do not. */
async function settle(runners: readonly CollectorRunner[]): Promise<SourceStatus[]> {
  await Promise.all(runners.map((runner) => runner.settle(HEALTH_DEADLINE_MS)));
  return runners.map((runner) => runner.status);
}

/** The body of `/health`. */
export interface HealthReport {
  readonly status: "ok" | "degraded";
  readonly exporter: string;
  readonly version: string;
  readonly uptime_seconds: number;
  /** What is simulated, where the sources are. */
  readonly simulated?: string;
  readonly sources: readonly { readonly name: string; readonly up: boolean; readonly reason: string }[];
}

function createHealthRoute(
  { manifest, project, runners, simulated }: ServerOptions,
): () => Promise<Response> {
  return async () => {
    const statuses = await settle(runners);
    const report: HealthReport = {
      status: statuses.every(({ up, problems }) => up && problems.length === 0) ? "ok" : "degraded",
      exporter: manifest.name,
      version: project.version,
      uptime_seconds: Math.round(performance.now()) / 1000,
      ...(simulated ? { simulated } : {}),
      sources: statuses.map(({ source, up, problems }) => ({
        name: source,
        up,
        reason: problems.map(({ message }) => message).join("; "),
      })),
    };
    return Response.json(report, { headers: { "cache-control": "no-store" } });
  };
}
