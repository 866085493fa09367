/**
 * Runs a collector for however many scrapers ask: one collection at a time, timed, with a deadline of its own
 * that no scraper can shorten, its failures counted and each change of state logged once.
 *
 * @module
 */
import { messageOf } from "./errors.ts";
import { type MetricDefinition, Snapshot } from "./exposition.ts";
import type { Logger } from "./log.ts";

/** Something wrong with a source, or with a part of it. */
export interface Problem {
  /** A short word for the `reason` label: `permission`, `missing`, `gone`, `invalid`, `timeout`. */
  readonly reason: string;
  /** A sentence for the operator: what is wrong and what to do. */
  readonly message: string;
}

/** The result of one collection. */
export interface Collection {
  /** Whether the source answered. */
  readonly up: boolean;
  /** The samples. */
  readonly snapshot: Snapshot;
  /** What is wrong with the source or a part of it. */
  readonly problems: readonly Problem[];
  /**
   * Unix time at which the source was read, in milliseconds, for a collector that reads in the background.
   *
   * @default now
   */
  readonly readAtMs?: number;
  /**
   * How long reading took. Where `readAtMs` is given and this is not, nobody measured it and nothing is published.
   *
   * @default the duration of `collect()`
   */
  readonly durationSeconds?: number;
}

/** Reads one source of measurements. */
export interface Collector {
  /** Value of the `source` label. */
  readonly source: string;
  /**
   * Reads the source. Returning the same object again means that nothing new was read since.
   * `signal` fires after {@linkcode COLLECT_DEADLINE_MS}, never because a scraper is impatient: whatever has not
   * answered by then hangs. Return the rest at once.
   *
   * @throws {SourceError} when the source is down
   */
  collect(signal: AbortSignal): Collection | Promise<Collection>;
}

/** A source that could not be read at all: it publishes no data until it can. */
export class SourceError extends Error {
  /** The class, by which it is logged. */
  override readonly name = "SourceError";

  /** `reason` is short, for a label; `message` explains what is wrong and what to do. */
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
    help: "1 for each reason why the source, or a part of it, cannot be read now; /health explains it.",
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
    help: "Unix time of the last successful reading of the source, in seconds.",
    labels: ["source"],
  },
} as const satisfies Record<string, MetricDefinition>;

/** A source's state after its last collection. */
export interface SourceStatus {
  /** Value of the `source` label. */
  readonly source: string;
  /** Whether the source answered. */
  readonly up: boolean;
  /** What is wrong with the source or a part of it. */
  readonly problems: readonly Problem[];
  /** The data of the last collection, then what is known about the collecting itself. */
  readonly snapshots: readonly Snapshot[];
}

/**
 * Time a collection may take, in milliseconds: less than the 10 s that Prometheus waits by default, so that such a
 * scrape still gets what was read of a source that hangs in part.
 */
export const COLLECT_DEADLINE_MS = 9_000;

/** Options of {@linkcode CollectorRunner}. */
export interface CollectorRunnerOptions {
  /** Clock that never goes back, in milliseconds. @default {() => performance.now()} */
  monotonicMs?: () => number;
  /** Unix time, in milliseconds. @default {Date.now} */
  wallClockMs?: () => number;
  /** Time that a collection may take, in milliseconds. @default {COLLECT_DEADLINE_MS} */
  deadlineMs?: number;
}

/** Shares one collector between all who ask. */
export class CollectorRunner {
  readonly #collector: Collector;
  readonly #log: Logger;
  readonly #monotonicMs: () => number;
  readonly #wallClockMs: () => number;
  readonly #deadlineMs: number;
  #inFlight: Promise<void> | undefined;
  /** The collection in flight has exceeded its deadline. */
  #overdue = false;
  #collection: Collection | undefined;
  #failures = 0;
  #lastSuccessMs: number | undefined;
  #lastLogged = "";
  #status: SourceStatus;

  /** Sets it up; nothing runs yet. */
  constructor(collector: Collector, log: Logger, options: CollectorRunnerOptions = {}) {
    this.#collector = collector;
    this.#log = log;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#wallClockMs = options.wallClockMs ?? Date.now;
    this.#deadlineMs = options.deadlineMs ?? COLLECT_DEADLINE_MS;
    this.#status = this.#describe(undefined, [{
      reason: "starting",
      message: `Source "${collector.source}" has not answered yet`,
    }]);
  }

  /** The state after the last collection that ended or exceeded its deadline. */
  get status(): SourceStatus {
    return this.#status;
  }

  /**
   * Collects, or joins the collection in flight, and waits `patienceMs` at most. A caller whose patience ends
   * first gets a status of its own, in which the source is down; what all share is left alone.
   */
  run(patienceMs: number): SourceStatus | Promise<SourceStatus> {
    const ended = this.settle(patienceMs);
    if (ended === true) return this.#status;
    return ended.then((inTime) =>
      inTime ? this.#status : this.#describe(undefined, this.#timeout(patienceMs))
    );
  }

  /** Like {@linkcode run}, but only reports whether the status is up to date. */
  settle(patienceMs: number): true | Promise<boolean> {
    const pending = this.#inFlight ?? this.#begin();
    // Its state is known already, and waiting for what hangs helps nobody.
    if (!pending || this.#overdue) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), patienceMs);
    pending.then(() => resolve(true));
    return promise.finally(() => clearTimeout(timer));
  }

  /** Starts a collection; undefined when it has ended already. */
  #begin(): Promise<void> | undefined {
    const startedMs = this.#monotonicMs();
    const deadline = new AbortController();
    let answer: Collection | Promise<Collection>;
    try {
      answer = this.#collector.collect(deadline.signal);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
    if (!(answer instanceof Promise)) {
      this.#accept(answer, startedMs);
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    // Two timers: between them, a collector that heeds the signal gets to publish what it has.
    const timers = [
      setTimeout(() => deadline.abort(), this.#deadlineMs),
      setTimeout(() => {
        this.#overdue = true;
        this.#publish(undefined, this.#timeout(this.#deadlineMs));
        resolve();
      }, this.#deadlineMs),
    ];
    answer.then(
      (collection) => this.#accept(collection, startedMs),
      (error) => this.#fail(error),
    ).finally(() => {
      timers.forEach(clearTimeout);
      this.#inFlight = undefined;
      this.#overdue = false;
      resolve();
    });
    return this.#inFlight = promise;
  }

  #timeout(ms: number): Problem[] {
    return [{
      reason: "timeout",
      message:
        `Source "${this.#collector.source}" did not answer within ${
          Math.round(ms)
        } ms: it is slow or hangs; ` +
        "the values come back when it answers",
    }];
  }

  #accept(collection: Collection, startedMs: number): void {
    if (collection === this.#collection) return;
    const isMeasured = collection.readAtMs === undefined;
    const seconds = collection.durationSeconds ??
      (isMeasured ? (this.#monotonicMs() - startedMs) / 1000 : undefined);
    this.#publish(collection, collection.problems, seconds);
  }

  #fail(error: unknown): void {
    if (error instanceof SourceError) {
      this.#publish(undefined, [{ reason: error.reason, message: error.message }]);
      return;
    }
    const message = messageOf(error);
    this.#log.debug("collection failed", { source: this.#collector.source, error });
    this.#publish(undefined, [{
      reason: "internal",
      message: `Cannot collect from "${this.#collector.source}": ${message}`,
    }]);
  }

  #publish(collection: Collection | undefined, problems: readonly Problem[], seconds?: number): void {
    this.#collection = collection;
    if (collection?.up) this.#lastSuccessMs = collection.readAtMs ?? this.#wallClockMs();
    else this.#failures++;
    this.#status = this.#describe(collection, problems, seconds);
    this.#logTransition();
  }

  /** Logs each change of state once. */
  #logTransition(): void {
    const { source, up, problems } = this.#status;
    const state = JSON.stringify([up, problems]);
    if (state === this.#lastLogged) return;
    const isFirst = this.#lastLogged === "";
    this.#lastLogged = state;
    for (const { reason, message } of problems) this.#log.warn(message, { source, reason });
    if (problems.length === 0 && !isFirst) this.#log.info("source is read without problems", { source });
  }

  #describe(
    collection: Collection | undefined,
    problems: readonly Problem[],
    seconds?: number,
  ): SourceStatus {
    const source = this.#collector.source;
    const up = collection?.up ?? false;
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
    return { source, up, problems, snapshots: collection ? [collection.snapshot, about] : [about] };
  }
}
