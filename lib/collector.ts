/**
 * Runs a collector for however many scrapers ask: one collection at a time, timed, with a deadline, its
 * failures counted and told once.
 *
 * @module
 */
import { type MetricDefinition, Snapshot } from "./exposition.ts";
import type { Logger } from "./log.ts";

/** Something wrong with a source, or with a part of it. */
export interface Problem {
  /** A short word for the `reason` label: `permission`, `missing`, `gone`, `invalid`, `timeout`. */
  readonly reason: string;
  /** A sentence for the operator: what is wrong and what to do. */
  readonly message: string;
}

/** What one collection brought. */
export interface Collection {
  /** Whether the source answered. */
  readonly up: boolean;
  readonly snapshot: Snapshot;
  readonly problems: readonly Problem[];
  /** How long reading the source took, for a collector that reads in the background. */
  readonly durationSeconds?: number;
}

/** Reads one source of measurements. */
export interface Collector {
  /** Value of the `source` label. */
  readonly source: string;
  /** Every metric it may publish. */
  readonly metrics: readonly MetricDefinition[];
  /**
   * Reads the source. Returning the same object again says that nothing new was read since.
   * `signal` fires when a scrape that waits for it will wait no longer.
   *
   * @throws {SourceError} when the source is down
   */
  collect(signal: AbortSignal): Collection | Promise<Collection>;
}

/** A source that could not be read at all: it publishes no data until it can. */
export class SourceError extends Error {
  override readonly name = "SourceError";

  /** `reason` is short, for a label; `message` says what is wrong and what to do. */
  constructor(readonly reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Metrics about collecting, the same for every source. */
export const COLLECT_METRICS = {
  up: {
    name: "exporter_source_up",
    type: "gauge",
    help: "Whether the last collection could read the source (1) or not (0).",
    labels: ["source"],
  },
  error: {
    name: "exporter_source_error",
    type: "gauge",
    help: "1 for each reason why the source, or a part of it, cannot be read now; /health says it in words.",
    labels: ["source", "reason"],
  },
  duration: {
    name: "exporter_collect_duration_seconds",
    type: "gauge",
    help: "Time the last collection took to read the source, in seconds.",
    labels: ["source"],
  },
  failures: {
    name: "exporter_collect_failures_total",
    type: "counter",
    help: "Collections since start that could not read the source.",
    labels: ["source"],
  },
  lastSuccess: {
    name: "exporter_last_success_timestamp_seconds",
    type: "gauge",
    help: "Unix time of the last collection that could read the source, in seconds.",
    labels: ["source"],
  },
} as const satisfies Record<string, MetricDefinition>;

/** A source's state after its last collection. */
export interface SourceStatus {
  readonly source: string;
  readonly up: boolean;
  readonly problems: readonly Problem[];
  /** The data of the last collection, then what is known about the collecting itself. */
  readonly snapshots: readonly Snapshot[];
}

/** Options of {@linkcode CollectorRunner}. */
export interface CollectorRunnerOptions {
  /** @default {() => performance.now()} */
  monotonicMs?: () => number;
  /** @default {Date.now} */
  wallClockMs?: () => number;
}

/** Shares one collector between all who ask. */
export class CollectorRunner {
  readonly #collector: Collector;
  readonly #log: Logger;
  readonly #monotonicMs: () => number;
  readonly #wallClockMs: () => number;
  #inFlight: Promise<void> | undefined;
  /** Asks the collection under way to come to an end. */
  #deadline = new AbortController();
  #collection: Collection | undefined;
  #failures = 0;
  #lastSuccessMs: number | undefined;
  #told = "";
  #status: SourceStatus;

  constructor(collector: Collector, log: Logger, options: CollectorRunnerOptions = {}) {
    this.#collector = collector;
    this.#log = log;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#wallClockMs = options.wallClockMs ?? Date.now;
    this.#status = this.#describe(false, [{
      reason: "starting",
      message: `Source "${collector.source}" has not answered yet`,
    }]);
  }

  /** The state after the last collection that ended or ran out of time. */
  get status(): SourceStatus {
    return this.#status;
  }

  /**
   * Collects, or waits for the collection under way, `deadlineMs` at most; a collector that answers at once
   * leaves nothing to wait for. When time runs out, the source counts as down until that collection ends.
   */
  run(deadlineMs: number): SourceStatus | Promise<SourceStatus> {
    const ended = this.#collect(deadlineMs, (deadline) => deadline.abort());
    if (ended === true) return this.#status;
    return ended.then((inTime) => {
      if (!inTime) this.#publishTimeout(deadlineMs);
      return this.#status;
    });
  }

  /**
   * Like {@linkcode run}, but running out of time changes nothing: the collection goes on. Tells whether it
   * ended.
   */
  settle(deadlineMs: number): true | Promise<boolean> {
    return this.#collect(deadlineMs, () => {});
  }

  /** Collects, or joins the collection under way; `onLate` is called just before the time is out. */
  #collect(deadlineMs: number, onLate: (deadline: AbortController) => void): true | Promise<boolean> {
    if (!this.#inFlight) {
      const pending = this.#begin();
      if (!pending) return true;
      this.#inFlight = pending.finally(() => this.#inFlight = undefined);
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const deadline = this.#deadline;
    // Two timers: between them, a collector that heeds the signal gets to publish what it has.
    const timers = [
      setTimeout(() => onLate(deadline), deadlineMs),
      setTimeout(() => resolve(false), deadlineMs),
    ];
    this.#inFlight.then(() => resolve(true));
    return promise.finally(() => timers.forEach(clearTimeout));
  }

  /** Starts a collection, unless it is over at once. */
  #begin(): Promise<void> | undefined {
    const startedMs = this.#monotonicMs();
    const deadline = this.#deadline = new AbortController();
    try {
      const answer = this.#collector.collect(deadline.signal);
      if (!(answer instanceof Promise)) {
        this.#accept(answer, startedMs);
        return undefined;
      }
      return answer.then(
        (collection) => this.#accept(collection, startedMs),
        (error) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #publishTimeout(deadlineMs: number): void {
    const { source } = this.#collector;
    this.#publish(undefined, [{
      reason: "timeout",
      message:
        `Source "${source}" did not answer within ${Math.round(deadlineMs)} ms: it is slow or hangs; ` +
        "the values come back when it answers",
    }]);
  }

  #accept(collection: Collection, startedMs: number): void {
    if (collection === this.#collection) return;
    const seconds = collection.durationSeconds ?? (this.#monotonicMs() - startedMs) / 1000;
    this.#publish(collection, collection.problems, seconds);
  }

  #fail(error: unknown): void {
    if (error instanceof SourceError) {
      this.#publish(undefined, [{ reason: error.reason, message: error.message }]);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    this.#log.debug("collection failed", { source: this.#collector.source, error });
    this.#publish(undefined, [{
      reason: "internal",
      message: `Cannot collect from "${this.#collector.source}": ${message}`,
    }]);
  }

  #publish(collection: Collection | undefined, problems: readonly Problem[], seconds?: number): void {
    const up = collection?.up ?? false;
    this.#collection = collection;
    if (up) this.#lastSuccessMs = this.#wallClockMs();
    else this.#failures++;
    this.#tell(up, problems);
    this.#status = this.#describe(up, problems, seconds);
  }

  /** Logs each change of state once. */
  #tell(up: boolean, problems: readonly Problem[]): void {
    const state = JSON.stringify([up, problems]);
    if (state === this.#told) return;
    const first = this.#told === "";
    this.#told = state;
    const source = this.#collector.source;
    for (const { reason, message } of problems) this.#log.warn(message, { source, reason });
    if (problems.length === 0 && !first) this.#log.info("source is read without problems", { source });
  }

  #describe(up: boolean, problems: readonly Problem[], seconds?: number): SourceStatus {
    const source = this.#collector.source;
    const about = new Snapshot();
    about.add(COLLECT_METRICS.up, up ? 1 : 0, { source });
    for (const reason of [...new Set(problems.map((problem) => problem.reason))].sort()) {
      about.add(COLLECT_METRICS.error, 1, { source, reason });
    }
    about.add(COLLECT_METRICS.duration, seconds, { source });
    about.add(COLLECT_METRICS.failures, this.#failures, { source });
    about.add(
      COLLECT_METRICS.lastSuccess,
      this.#lastSuccessMs === undefined ? undefined : this.#lastSuccessMs / 1000,
      { source },
    );
    const snapshots = this.#collection ? [this.#collection.snapshot, about] : [about];
    return { source, up, problems, snapshots };
  }
}
