import process from "node:process";
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { type Collection, CollectorRunner } from "../../lib/collector.ts";
import { type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { createLogger } from "../../lib/log.ts";
import { createHandler, MAX_SCRAPES } from "../../lib/server.ts";
import { assertQuick } from "../support/assert_quick.ts";
import { fetcher } from "../support/handlers.ts";
import { PROGRAM, TOY } from "../support/toy.ts";

const WATTS: MetricDefinition = { name: "x_watts", type: "gauge", help: "Watts.", labels: ["zone"] };

function handler(
  collect: (signal: AbortSignal) => Collection | Promise<Collection>,
): (path: string, init?: RequestInit) => Promise<Response> {
  const log = createLogger({ write: () => {} });
  const handle = createHandler({
    manifest: TOY,
    history: { report: () => ({ ages_ms: [], series: [] }) },
    project: PROGRAM.project,
    runners: [new CollectorRunner({ source: "x", collect }, log)],
    page: {
      title: "<Title>",
      summary: "Summary.",
      chart: { metric: "x_watts", unit: "W", labels: ["zone"] },
      table: { key: ["zone"], columns: [{ metric: "x_watts", title: "power", unit: "W" }] },
    },
    self: { snapshot: new Snapshot() },
    telemetryPath: "/metrics",
  });
  return fetcher(handle);
}

function reading(watts = 5): Collection {
  const snapshot = new Snapshot();
  snapshot.add(WATTS, watts, { zone: "package-0" });
  return { up: true, snapshot, problems: [] };
}

Deno.test("GET /metrics answers the text format unless asked otherwise", async () => {
  const get = handler(() => reading());
  for (
    const accept of [
      undefined,
      "*/*",
      "text/html,*/*;q=0.8",
      "text/plain;version=0.0.4;q=1,*/*;q=0.1",
      "image/png",
      "nonsense",
    ]
  ) {
    const response = await get("/metrics", accept ? { headers: { accept } } : {});
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assertStringIncludes(await response.text(), 'x_watts{zone="package-0"} 5\n');
  }
});

const PREFER_OPENMETRICS = [
  "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
];

for (const accept of PREFER_OPENMETRICS) {
  Deno.test(`GET /metrics answers OpenMetrics to Accept: ${accept}`, async () => {
    const response = await handler(() => reading())("/metrics", { headers: { accept } });
    assertEquals(
      response.headers.get("content-type"),
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    assertStringIncludes(await response.text(), "\n# EOF\n");
  });
}

Deno.test("GET /metrics compresses when asked, and the page is the same", async () => {
  const get = handler(() => reading());
  const response = await get("/metrics", { headers: { "accept-encoding": "gzip" } });
  assertEquals(response.headers.get("content-encoding"), "gzip");
  const body = response.body?.pipeThrough(new DecompressionStream("gzip"));
  const page = await new Response(body ?? null).text();
  assertStringIncludes(page, 'x_watts{zone="package-0"} 5\n');
  const plain = await get("/metrics", { headers: { "accept-encoding": "gzip;q=0, identity" } });
  assertEquals(plain.headers.get("content-encoding"), null);
});

Deno.test("GET /metrics is 200 and tells the truth when the source is slower than the scraper", async () => {
  const get = handler(() => new Promise(() => {}));
  const started = performance.now();
  const response = await get("/metrics", { headers: { "x-prometheus-scrape-timeout-seconds": "0.2" } });
  const page = await response.text();
  assertEquals(response.status, 200);
  assertStringIncludes(page, 'exporter_source_error{source="x",reason="timeout"} 1');
  assertEquals(page.includes("x_watts"), false);
  assertEquals(performance.now() - started < 5000, true);
});

Deno.test("GET /metrics spends no time on an Accept header of any length", async () => {
  const get = handler(() => reading());
  const before = process.cpuUsage();
  const accept = `"${'"",'.repeat(21_000)}`;
  for (const headers of [{ accept }, { "accept-encoding": accept }]) {
    const response = await get("/metrics", { headers });
    assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assertStringIncludes(await response.text(), 'x_watts{zone="package-0"} 5\n');
  }
  const { user, system } = process.cpuUsage(before);
  // The regular expressions of earlier versions took 6 s each.
  assertLess((user + system) / 1000, 3000, "ms of CPU time");
});

Deno.test("GET /metrics refuses what goes beyond the limit of scrapes at once", async () => {
  const gate = Promise.withResolvers<Collection>();
  const get = handler(() => gate.promise);
  const waiting = Array.from({ length: MAX_SCRAPES }, () => get("/metrics"));
  const refused = await get("/metrics");
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  gate.resolve(reading());
  assertEquals((await Promise.all(waiting)).every((response) => response.status === 200), true);
  assertEquals((await get("/metrics")).status, 200);
});

Deno.test("GET /health names each source and what is wrong with it", async () => {
  const problem = { reason: "gone", message: "Zone is gone: wait" };
  const get = handler(() => ({ ...reading(), problems: [problem] }));
  const report = await (await get("/health")).json();
  assertEquals([report.status, report.exporter], ["degraded", "toy"]);
  assertEquals(report.sources, [{ name: "x", up: true, reason: "Zone is gone: wait" }]);
});

Deno.test("GET /health does not wait for a source that hangs", async () => {
  const get = handler(() => new Promise(() => {}));
  await assertQuick(async () => {
    const startedMs = performance.now();
    const response = await get("/health");
    assertEquals([response.status, (await response.json()).status], [200, "degraded"]);
    return performance.now() - startedMs;
  }, 500);
});

Deno.test("GET / is a page that may load nothing from elsewhere", async () => {
  const response = await handler(() => reading())("/");
  assertStringIncludes(response.headers.get("content-security-policy") ?? "", "default-src 'none'");
  const html = await response.text();
  assertStringIncludes(html, '<h2 id="chart-title">&lt;Title&gt;</h2>');
  assertEquals(/(?:src|href)="(?!\/)/.test(html), false);
});

Deno.test("The server answers /-/healthy and /-/ready, refuses other methods, and knows no other path", async () => {
  const get = handler(() => reading());
  assertEquals((await get("/-/healthy")).status, 200);
  assertEquals((await get("/-/ready")).status, 200);
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const response = await get("/metrics", { method });
    assertEquals([response.status, response.headers.get("allow")], [405, "GET, HEAD"]);
  }
  assertEquals((await get("/metrics", { method: "HEAD" })).status, 200);
  for (const path of ["/metrics/", "/..%2fmetrics", "/constructor", "/__proto__", "//metrics"]) {
    assertEquals([path, (await get(path)).status], [path, 404]);
  }
  assertEquals((await get("/metrics?collect[]=x")).status, 200);
});

for (
  const [origin, host, isShared] of [
    ["http://worker:9511", "worker:9510", true],
    ["https://worker", "worker:9510", true],
    ["http://[::1]:9511", "[::1]:9510", true],
    ["http://evil.example", "worker:9510", false],
    ["http://worker.evil.example:9511", "worker:9510", false],
    ["null", "worker:9510", false],
    ["http://worker:9511", "", false],
  ] as const
) {
  Deno.test(`A page of ${origin} ${isShared ? "may" : "may not"} read the answers of "${host}"`, async () => {
    const response = await handler(() => reading())("/metrics", { headers: { origin, host } });
    assertEquals(response.headers.get("access-control-allow-origin"), isShared ? origin : null);
    assertStringIncludes(response.headers.get("vary") ?? "", "origin");
  });
}
