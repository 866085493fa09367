/**
 * The two sources of the docker exporter: the engine, read in the background at an interval, and its events,
 * counted as they come. A scrape waits for neither.
 *
 * @module
 */
import { type Collection, type Collector, type Problem, SourceError } from "../../lib/collector.ts";
import type { MetricDefinition } from "../../lib/exposition.ts";
import type { DockerApi } from "./docker_api.ts";
import type { EngineReader } from "./engine_reader.ts";
import { type ChosenLabels, engineSnapshot } from "./engine_snapshot.ts";
import type { EventCounts } from "./event_counts.ts";
import type { EventStream } from "./event_stream.ts";
import { ENGINE_METRICS, EVENT_METRICS, NETWORK_METRICS } from "./metrics.ts";

/** Options of {@linkcode EngineCollector}. */
export interface EngineCollectorOptions {
  readonly api: DockerApi;
  readonly reader: EngineReader;
  readonly events: EventStream;
  readonly counts: EventCounts;
  readonly chosenLabels: ChosenLabels | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** @default {() => performance.now()} */
  readonly monotonicMs?: () => number;
}

/** Publishes the last reading of the engine for as long as it is fresh. */
export class EngineCollector implements Collector {
  readonly source = "docker";
  readonly metrics: readonly MetricDefinition[];
  readonly #options: EngineCollectorOptions;
  readonly #monotonicMs: () => number;
  #last: { readonly collection: Collection; readonly validUntilMs: number } | undefined;
  #failure: SourceError = new SourceError("starting", "The Docker Engine has not been read yet");

  constructor(options: EngineCollectorOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.metrics = [
      ...Object.values(ENGINE_METRICS),
      ...Object.values(NETWORK_METRICS.receive),
      ...Object.values(NETWORK_METRICS.transmit),
      ...options.chosenLabels ? [options.chosenLabels.metric] : [],
    ];
  }

  /** Reads the engine now; a failure is kept for those who collect. */
  async refresh(): Promise<void> {
    const { api, reader, events, counts, chosenLabels, intervalMs, timeoutMs } = this.#options;
    const startedMs = this.#monotonicMs();
    try {
      const reading = await reader.read();
      const snapshot = engineSnapshot(reading, chosenLabels);
      for (const [endpoint, state] of api.durations.states()) {
        snapshot.addHistogram(ENGINE_METRICS.apiDuration, state, { endpoint });
      }
      counts.setPresent(reading.containers.map(({ listed }) => listed));
      const tookMs = this.#monotonicMs() - startedMs;
      this.#last = {
        collection: { up: true, snapshot, problems: reading.problems, durationSeconds: tookMs / 1000 },
        validUntilMs: this.#monotonicMs() + 2 * intervalMs + timeoutMs + tookMs,
      };
    } catch (error) {
      const { reason, message } = api.explain(error);
      this.#last = undefined;
      this.#failure = new SourceError(reason, message, { cause: error });
      // Whatever ended the requests has ended this connection too, even if nobody said so.
      events.reconnect();
    }
  }

  /** The last reading. @throws {SourceError} when there is none, or it is too old to be the truth */
  collect(): Collection {
    if (!this.#last) throw this.#failure;
    if (this.#monotonicMs() <= this.#last.validUntilMs) return this.#last.collection;
    throw new SourceError(
      "timeout",
      "The Docker Engine takes longer than two intervals to answer: it is overloaded or hangs; see " +
        '"journalctl -u docker", or raise "--interval"',
    );
  }
}

/** Publishes what the events have counted while the engine tells them. */
export class EventCollector implements Collector {
  readonly source = "docker_events";
  readonly metrics: readonly MetricDefinition[] = Object.values(EVENT_METRICS);
  readonly #events: EventStream;
  readonly #counts: EventCounts;
  #last: Collection | undefined;

  constructor(events: EventStream, counts: EventCounts) {
    this.#events = events;
    this.#counts = counts;
  }

  /** The counters now. @throws {SourceError} while no events come in */
  collect(): Collection {
    if (!this.#events.isConnected) {
      const problem: Problem = this.#events.problem ??
        { reason: "starting", message: "The Docker Engine's events have not been opened yet" };
      throw new SourceError(problem.reason, problem.message);
    }
    if (!this.#last || this.#counts.isChanged) {
      const snapshot = this.#counts.snapshot(this.#events.reconnects);
      this.#last = { up: true, snapshot, problems: [], durationSeconds: 0 };
    }
    return this.#last;
  }
}
