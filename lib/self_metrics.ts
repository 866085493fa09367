/**
 * What an exporter publishes about its own process, sampled once a second together with the event loop's lag.
 *
 * @module
 */
import process from "node:process";
import { type MetricDefinition, Snapshot } from "./exposition.ts";

/** Metrics of the process, the same for every exporter. */
export const SELF_METRICS = {
  build: {
    name: "exporter_build_info",
    type: "gauge",
    help: "Which exporter this is, its version and the version of Deno that runs it; always 1.",
    labels: ["exporter", "version", "deno"],
  },
  simulated: {
    name: "exporter_simulated",
    type: "gauge",
    help: "1 where the source is simulated for a demonstration and no value is real; absent otherwise.",
  },
  cpu: {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "CPU time this process has used, user and system, in seconds.",
  },
  memory: {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Resident memory of this process, in bytes.",
  },
  start: {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "Unix time at which this process started, in seconds.",
  },
  lag: {
    name: "exporter_event_loop_lag_seconds",
    type: "gauge",
    help: "Largest delay of a one-second timer within the last minute, in seconds.",
  },
} as const satisfies Record<string, MetricDefinition>;

const PERIOD_MS = 1000;
const WINDOW = 60;

/** What {@linkcode SelfMetrics} publishes of the exporter. */
export interface SelfMetricsOptions {
  /** Its name. */
  readonly name: string;
  /** Version of the project. */
  readonly version: string;
  /** What is simulated, where the sources are. */
  readonly simulated?: string | undefined;
}

/** Samples this process until disposed of. */
export class SelfMetrics implements Disposable {
  readonly #options: SelfMetricsOptions;
  readonly #lagsMs: number[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  #expectedMs = performance.now() + PERIOD_MS;
  #snapshot: Snapshot;

  /** Sets it up; nothing runs yet. */
  constructor(options: SelfMetricsOptions) {
    this.#options = options;
    this.#snapshot = this.#sample();
    this.#timer = setInterval(() => this.#tick(), PERIOD_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** The last sample, one second old at most unless the event loop lags. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#lagsMs.push(Math.max(0, nowMs - this.#expectedMs));
    if (this.#lagsMs.length > WINDOW) this.#lagsMs.shift();
    this.#expectedMs = nowMs + PERIOD_MS;
    this.#snapshot = this.#sample();
  }

  #sample(): Snapshot {
    const snapshot = new Snapshot();
    const { user, system } = process.cpuUsage();
    const { name, version, simulated } = this.#options;
    snapshot.add(SELF_METRICS.build, 1, { exporter: name, version, deno: Deno.version.deno });
    if (simulated !== undefined) snapshot.add(SELF_METRICS.simulated, 1);
    snapshot.add(SELF_METRICS.cpu, (user + system) / 1e6);
    snapshot.add(SELF_METRICS.memory, Deno.memoryUsage().rss);
    snapshot.add(SELF_METRICS.start, performance.timeOrigin / 1000);
    if (this.#lagsMs.length > 0) snapshot.add(SELF_METRICS.lag, Math.max(...this.#lagsMs) / 1000);
    return snapshot;
  }
}
