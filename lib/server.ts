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
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  textResponse,
} from "./http/message.ts";
import type { HistoryReport } from "./history.ts";
import { negotiate } from "./negotiate.ts";
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
  /** The exporter. */
  readonly manifest: Manifest;
  /** The project it belongs to. */
  readonly project: Project;
  /** The sources, each with its last state. */
  readonly runners: readonly CollectorRunner[];
  /** What its page shows. */
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
    | ((request: HttpRequest) => HttpResponse | Promise<HttpResponse> | undefined)
    | undefined;
}

const ENCODER = new TextEncoder();

/** Returns the handler for the server. */
export function createHandler(options: ServerOptions): HttpHandler {
  const routes = createRoutes(options);
  return (request) => {
    const own = options.handle?.(request);
    if (own) return own;
    const route = routes.get(request.path);
    if (!route) return textResponse("Not found: see / for what there is\n", STATUS_CODE.NotFound);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return textResponse("Method not allowed\n", STATUS_CODE.MethodNotAllowed, { allow: "GET, HEAD" });
    }
    const answer = route(request);
    return request.headers.has("origin") ? shareWithHost(request, answer) : answer;
  };
}

function createRoutes(options: ServerOptions): ReadonlyMap<string, HttpHandler> {
  const assets = PAGE_ASSETS.map(({ path, contentType, body }): [string, HttpHandler] => {
    const bytes = ENCODER.encode(body);
    return [path, ({ headers }) => ({
      status: STATUS_CODE.OK,
      headers: { ...pageHeaders(headers.get("host")), "content-type": contentType },
      body: bytes,
    })];
  });
  return new Map<string, HttpHandler>([
    ["/health", createHealthRoute(options)],
    ["/-/healthy", () => textResponse("Healthy\n")],
    ["/-/ready", () => textResponse("Ready\n")],
    ["/", async ({ headers }) => {
      await settle(options.runners);
      return textResponse(renderPage(options), STATUS_CODE.OK, pageHeaders(headers.get("host")));
    }],
    ["/page/history.json", () => jsonResponse(options.history.report(), { "cache-control": "no-store" })],
    [options.telemetryPath, createMetricsRoute(options)],
    ...assets,
  ]);
}

/** Lets pages of this host's other exporters read an answer, and no other page. */
async function shareWithHost(
  { headers }: HttpRequest,
  answer: HttpResponse | Promise<HttpResponse>,
): Promise<HttpResponse> {
  const response = await answer;
  const origin = URL.parse(headers.get("origin") ?? "");
  const host = URL.parse(`http://${headers.get("host")}`);
  const isSameHost = origin !== null && host !== null && origin.hostname === host.hostname;
  const { vary } = response.headers;
  return {
    ...response,
    headers: {
      ...response.headers,
      vary: vary === undefined ? "origin" : `${vary}, origin`,
      ...(isSameHost ? { "access-control-allow-origin": origin.origin } : {}),
    },
  };
}

/** A page as it is sent. */
interface Representable {
  readonly snapshots: readonly Snapshot[];
  readonly plain: HttpResponse;
  gzipped?: Promise<HttpResponse>;
}

function createMetricsRoute(options: ServerOptions): HttpHandler {
  const exposition = new Exposition();
  const last: Partial<Record<Format, Representable>> = {};
  let underWay = 0;

  /** The last page again, if nothing was read since; this is what most scrapers of a busy exporter get. */
  function pageOf(snapshots: readonly Snapshot[], format: Format): Representable | Promise<Representable> {
    const known = last[format];
    if (known && isSame(known.snapshots, snapshots)) return known;
    return exposition.render(snapshots, format).then((text) =>
      last[format] = { snapshots, plain: pageResponse(format, ENCODER.encode(text)) }
    );
  }

  function answer(
    statuses: readonly SourceStatus[],
    request: HttpRequest,
  ): HttpResponse | Promise<HttpResponse> {
    const { format, gzip } = negotiate(request);
    const snapshots = statuses.flatMap((status) => status.snapshots);
    snapshots.push(options.self.snapshot);
    const send = (page: Representable): HttpResponse | Promise<HttpResponse> => {
      if (!gzip) return page.plain;
      return page.gzipped ??= compress(page.plain.body).then((body) => pageResponse(format, body, "gzip"));
    };
    const page = pageOf(snapshots, format);
    return page instanceof Promise ? page.then(send) : send(page);
  }

  return (request) => {
    if (underWay >= MAX_SCRAPES) {
      return textResponse("Too many scrapes at once\n", STATUS_CODE.ServiceUnavailable, {
        "retry-after": "1",
      });
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

function pageResponse(
  format: Format,
  body: Uint8Array<ArrayBuffer>,
  encoding?: string,
): HttpResponse {
  const headers = { "content-type": CONTENT_TYPE[format], vary: "accept, accept-encoding" };
  return {
    status: STATUS_CODE.OK,
    headers: encoding ? { ...headers, "content-encoding": encoding } : headers,
    body,
  };
}

function isSame(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

/** How long this scrape may take: the scraper's own time-out less a margin. */
function deadlineOf(request: HttpRequest): number {
  const seconds = Number(request.headers.get("x-prometheus-scrape-timeout-seconds") ?? NaN);
  if (!(seconds > 0)) return DEFAULT_DEADLINE_MS;
  return Math.min(Math.max(seconds * 1000 - DEADLINE_MARGIN_MS, seconds * 500, MIN_DEADLINE_MS), 60_000);
}

async function compress(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const body = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** Gives the sources a moment to answer; their last status holds where they do not. */
async function settle(runners: readonly CollectorRunner[]): Promise<SourceStatus[]> {
  await Promise.all(runners.map((runner) => runner.settle(HEALTH_DEADLINE_MS)));
  return runners.map((runner) => runner.status);
}

/** The body of `/health`. */
export interface HealthReport {
  /** `ok` when every source is up without problems. */
  readonly status: "ok" | "degraded";
  /** Name of the exporter. */
  readonly exporter: string;
  /** Version of the project. */
  readonly version: string;
  /** Time since the process started, in seconds. */
  readonly uptime_seconds: number;
  /** What is simulated, where the sources are. */
  readonly simulated?: string;
  /** State of each source. */
  readonly sources: readonly { readonly name: string; readonly up: boolean; readonly reason: string }[];
}

function createHealthRoute({ manifest, project, runners, simulated }: ServerOptions): HttpHandler {
  return async ({ isStranger = false }) => {
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
        // Messages name containers, jobs and files, which strangers are not to know.
        reason: isStranger
          ? [...new Set(problems.map(({ reason }) => reason))].join(", ")
          : problems.map(({ message }) => message).join("; "),
      })),
    };
    return jsonResponse(report, { "cache-control": "no-store" });
  };
}
