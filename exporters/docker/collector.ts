/**
 * The two sources of the docker exporter: the engine's last reading, and the counters of its events. Both stand
 * ready; a scrape waits for neither.
 *
 * @module
 */
import type { Collection, Collector } from "../../lib/collector.ts";
import type { Snapshot } from "../../lib/exposition.ts";
import type { Endpoint } from "./docker_api.ts";
import type { DurationHistogram } from "./duration_histogram.ts";
import type { ChosenLabels } from "./chosen_labels.ts";
import { engineSnapshot } from "./engine_snapshot.ts";
import type { EngineWatch, TimedReading } from "./engine_watch.ts";
import { ENGINE_METRICS } from "./metrics.ts";

/** Publishes the last reading of the engine for as long as it is fresh. */
export class EngineCollector implements Collector {
  readonly source = "docker";
  readonly #watch: EngineWatch;
  readonly #durations: DurationHistogram<Endpoint>;
  readonly #chosenLabels: ChosenLabels | undefined;
  #last: { readonly reading: TimedReading; readonly collection: Collection } | undefined;

  /** `durations` are those of all requests so far. */
  constructor(watch: EngineWatch, durations: DurationHistogram<Endpoint>, chosenLabels?: ChosenLabels) {
    this.#watch = watch;
    this.#durations = durations;
    this.#chosenLabels = chosenLabels;
  }

  /** The last reading. @throws {SourceError} when there is none, or it is too old to be the truth */
  collect(): Collection {
    const { reading } = this.#watch;
    if (this.#last?.reading !== reading) {
      const snapshot = engineSnapshot(reading, this.#chosenLabels);
      for (const [endpoint, state] of this.#durations.states()) {
        snapshot.addHistogram(ENGINE_METRICS.apiDuration, state, { endpoint });
      }
      const { problems, readAtMs, durationSeconds } = reading;
      this.#last = { reading, collection: { up: true, snapshot, problems, readAtMs, durationSeconds } };
    }
    return this.#last.collection;
  }
}

/** Publishes the counters of events while the engine sends them. */
export class EventCollector implements Collector {
  readonly source = "docker_events";
  readonly #watch: EngineWatch;
  #last: { readonly reconnects: number; readonly snapshot: Snapshot } | undefined;

  constructor(watch: EngineWatch) {
    this.#watch = watch;
  }

  /** The counters now. @throws {SourceError} while no events come in */
  collect(): Collection {
    const { counts, reconnects } = this.#watch;
    if (!this.#last || counts.isChanged || this.#last.reconnects !== reconnects) {
      this.#last = { reconnects, snapshot: counts.snapshot(reconnects) };
    }
    return { up: true, snapshot: this.#last.snapshot, problems: [], readAtMs: Date.now() };
  }
}
