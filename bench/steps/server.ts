/**
 * A server for one variant of a step: `server.ts PORT VARIANT`. Bare, with a library loaded, or with a page of
 * 96 series that is rendered in different ways.
 *
 * @module
 */
import { type Collection, type Collector, CollectorRunner } from "../../lib/collector.ts";
import { type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { type HttpHandler, type HttpResponse, textResponse } from "../../lib/http/message.ts";
import { HttpServer } from "../../lib/http/server.ts";
import { createLogger } from "../../lib/log.ts";
import { createHandler } from "../../lib/server.ts";
import { PROGRAM, TOY } from "../../tests/support/toy.ts";

const FAMILIES: readonly MetricDefinition[] = Array.from({ length: 12 }, (_, index) => ({
  name: `bench_family_${index}_watts`,
  type: "gauge",
  help: "Mean power of the zone over the last sampling interval, in watts.",
  labels: ["zone", "package", "path"],
}));
const ZONES = Array.from({ length: 8 }, (_, index) => ({
  zone: `zone-${index}`,
  package: String(index >> 2),
  path: `intel-rapl/intel-rapl:${index >> 2}/intel-rapl:${index >> 2}:${index & 3}`,
}));

function read(): Collection {
  const snapshot = new Snapshot();
  for (const family of FAMILIES) {
    for (const labels of ZONES) snapshot.add(family, Math.random() * 100, labels);
  }
  return { up: true, snapshot, problems: [] };
}

/** A handler as the exporters have it, of a source that is read in the given way. */
function pageHandler(collect: Collector["collect"]): ReturnType<typeof createHandler> {
  const collector: Collector = { source: "bench", collect };
  const log = createLogger({ level: "error", format: "logfmt" });
  return createHandler({
    manifest: TOY,
    history: { report: () => ({ ages_ms: [], series: [] }) },
    project: PROGRAM.project,
    runners: [new CollectorRunner(collector, log)],
    page: {
      title: "Bench",
      summary: "",
      chart: { metric: "bench_family_0_watts", unit: "W", labels: ["zone"] },
      table: { key: ["zone"], columns: [] },
    },
    self: { snapshot: new Snapshot() },
    telemetryPath: "/metrics",
  });
}

const ONCE = read();

/** What each variant answers with. */
const VARIANTS: Readonly<Record<string, () => unknown>> = {
  "page-rendered-for-each-scrape": () => pageHandler(read),
  "page-kept": () => pageHandler(() => ONCE),
  "page-kept-after-a-promise": () => pageHandler(() => Promise.resolve(ONCE)),
  "bare": () => undefined,
  "prom-client": () => import("prom-client"),
  "prom-client-registry": () => import("../../lib/prom_client.ts"),
  "dockerode": () => import("dockerode"),
  "dockerode-reduced": () => import("../../exporters/docker/docker_api.ts"),
};

const [port, variant = ""] = Deno.args;
const made = await VARIANTS[variant]?.();
const handler = typeof made === "function" ? made as HttpHandler : (): HttpResponse => textResponse("x\n");
const onError = (): HttpResponse => textResponse("failed\n", 500);
new HttpServer([Deno.listen({ hostname: "127.0.0.1", port: Number(port) })], { onError }).serve(handler);
