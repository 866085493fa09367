/**
 * Powercap trees in temporary folders, and the CPU exporter's sampler on a clock that the test moves.
 *
 * @module
 */
import { PowercapCollector } from "../../exporters/cpu/collector.ts";
import { PROGRAM } from "../../exporters/cpu/main.ts";
import { PowercapSampler, type PowercapSamplerOptions, type Sample } from "../../exporters/cpu/sampler.ts";
import { CollectorRunner } from "../../lib/collector.ts";
import { createLogger } from "../../lib/log.ts";
import { SelfMetrics } from "../../lib/self_metrics.ts";
import { createHandler } from "../../lib/server.ts";
import { fetcher } from "./handlers.ts";
import { PowercapTree, type TreeZone } from "../../simulation/powercap_tree.ts";

/** A powercap tree that is removed in the end. */
export class TemporaryTree extends PowercapTree {
  constructor(zones: readonly TreeZone[] = []) {
    super(Deno.makeTempDirSync({ prefix: "powercap-test-" }));
    for (const zone of zones) this.add(zone);
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    Deno.removeSync(this.root, { recursive: true });
  }
}

/** A moment on the monotonic and on the wall clock. */
export class FakeClock {
  monotonicMs = 5_000;
  wallClockMs = Date.UTC(2026, 0, 1);

  /** Lets time pass on both clocks. */
  advance(ms: number): void {
    this.monotonicMs += ms;
    this.wallClockMs += ms;
  }
}

/** A sampler on a tree, without a timer: the test decides when a second has passed. */
export class SamplerOnClock implements Disposable {
  readonly clock: FakeClock;
  readonly sampler: PowercapSampler;

  constructor(root: string, options: PowercapSamplerOptions & { clock?: FakeClock } = {}) {
    const clock = this.clock = options.clock ?? new FakeClock();
    this.sampler = new PowercapSampler(root, {
      monotonicMs: () => clock.monotonicMs,
      wallClockMs: () => clock.wallClockMs,
      ...options,
    });
  }

  /** Lets one interval pass, then samples. */
  tick(ms = 1000): Sample {
    this.clock.advance(ms);
    return this.sampler.sample();
  }

  /** The microjoules counted for a zone; undefined while it is not published. */
  energyOf(path: string): bigint | undefined {
    return this.sampler.latest.zones.find(({ zone }) => zone.path === path)?.totalMicrojoules;
  }

  /** Asks the exporter's server for a path, as a scraper would. */
  get(path: string): Promise<Response> {
    using self = new SelfMetrics({ name: "cpu", version: PROGRAM.project.version });
    const log = createLogger({ write: () => {} });
    const handler = createHandler({
      manifest: PROGRAM.manifest,
      history: { report: () => ({ ages_ms: [], series: [] }) },
      project: PROGRAM.project,
      runners: [new CollectorRunner(new PowercapCollector(this.sampler), log)],
      page: {
        title: PROGRAM.manifest.summary,
        summary: "",
        chart: { metric: "", unit: "", labels: [] },
        table: { key: [], columns: [] },
      },
      self,
      telemetryPath: "/metrics",
    });
    return fetcher(handler)(path);
  }

  [Symbol.dispose](): void {
    this.sampler.stop();
  }
}

/** Reads a sample's value from a page in the text format; undefined when the page does not have it. */
export function valueOf(page: string, name: string, labels: Record<string, string> = {}): number | undefined {
  for (const line of page.split("\n")) {
    if (line !== name && !line.startsWith(`${name} `) && !line.startsWith(`${name}{`)) continue;
    const has = Object.entries(labels).every(([label, value]) =>
      line.includes(`${label}=${JSON.stringify(value)}`)
    );
    if (has) return Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return undefined;
}
