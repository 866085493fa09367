/**
 * Watches one engine: reads it at an interval, one reading at a time, and follows its events all the while. Who
 * publishes takes the last reading and the counters from here.
 *
 * @module
 */
import { SourceError } from "../../lib/collector.ts";
import { pause } from "./pause.ts";
import type { DockerApi } from "./docker_api.ts";
import { EngineReader, type EngineReading, WAKE_LEAD_MS } from "./engine_reader.ts";
import { EventCounts } from "./event_counts.ts";
import { EventStream } from "./event_stream.ts";
import { PODMAN_UNSENT_ACTIONS } from "./podman.ts";

/** Longest that the start waits for the first reading, so that the first scrape finds one, in milliseconds. */
const FIRST_READING_MS = 2_000;
/** From the first reading to the second, at most, for there is no CPU use before that, in milliseconds. */
const SECOND_READING_MS = 1_000;
/** Part of a reading's own duration that follows it as a pause, so that a slow engine is not kept busy all the time. */
const PAUSE_RATIO = 0.25;

/** Options of {@linkcode EngineWatch}. */
export interface EngineWatchOptions {
  readonly api: DockerApi;
  /** Containers read at once, at most. @default what suits the engine */
  readonly concurrency?: number | undefined;
  /** Whether a container of this name is wanted. */
  readonly isWanted: (name: string) => boolean;
  /** From the start of one reading to the start of the next, in milliseconds. */
  readonly intervalMs: number;
  /** Longest that a request may take, in milliseconds. */
  readonly timeoutMs: number;
  /** @default {() => performance.now()} */
  readonly monotonicMs?: () => number;
}

/** A reading with its time. */
export interface TimedReading extends EngineReading {
  /** Unix time, in milliseconds. */
  readonly readAtMs: number;
  readonly durationSeconds: number;
}

/** A watch over one engine. */
export class EngineWatch {
  /** Counters of the events. */
  readonly counts: EventCounts;
  readonly #options: EngineWatchOptions;
  readonly #reader: EngineReader;
  readonly #events: EventStream;
  readonly #monotonicMs: () => number;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #latest: { readonly reading: TimedReading; readonly validUntilMs: number } | undefined;
  #failure = new SourceError("starting", "The Docker Engine has not been read yet");

  constructor(options: EngineWatchOptions) {
    const { api, concurrency, isWanted, monotonicMs = () => performance.now() } = options;
    this.#options = options;
    this.#monotonicMs = monotonicMs;
    this.counts = new EventCounts(monotonicMs);
    this.#events = new EventStream({
      api,
      onEvent: (event) => {
        if (!isWanted(event.name)) return;
        this.counts.add(event);
        this.#reader.invalidate(event.id);
      },
      onConnect: ({ name }) => {
        this.counts.setUnsent(name === "podman" ? PODMAN_UNSENT_ACTIONS : []);
        this.#reader.invalidateAll();
      },
    });
    const hasEvents = (): boolean => this.#events.isConnected;
    this.#reader = new EngineReader({ api, concurrency, isWanted, hasEvents });
  }

  /** The last reading. @throws {SourceError} when there is none, or it is too old to be the truth */
  get reading(): TimedReading {
    if (!this.#latest) throw this.#failure;
    if (this.#monotonicMs() <= this.#latest.validUntilMs) return this.#latest.reading;
    throw new SourceError(
      "timeout",
      "The Docker Engine takes longer than two intervals to answer: it is overloaded or hangs; see " +
        '"journalctl -u docker", or raise "--interval"',
    );
  }

  /** How often the connection to the events was lost. @throws {SourceError} while there is none, so that events are missed */
  get reconnects(): number {
    if (this.#events.isConnected) return this.#events.reconnects;
    const { reason, message } = this.#events.problem ??
      { reason: "starting", message: "The Docker Engine's events have not been opened yet" };
    throw new SourceError(reason, message);
  }

  /** Starts to read and to follow; resolves after the first reading, or two seconds. */
  async start(): Promise<void> {
    const { signal } = this.#stopping;
    // The events first: inspections are remembered only while they come in.
    const following = this.#events.follow(signal);
    const first = this.read();
    this.#running = Promise.all([following, first.then(() => this.#repeat(signal))]);
    await Promise.race([first, pause(FIRST_READING_MS, signal)]);
  }

  /** Ends all requests, and waits for their end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#options.api.close();
    await this.#running;
  }

  /** Reads the engine now. Never rejects: {@linkcode reading} throws what went wrong. */
  async read(): Promise<void> {
    const { api, intervalMs, timeoutMs } = this.#options;
    const startedMs = this.#monotonicMs();
    try {
      const reading = await this.#reader.read();
      const tookMs = this.#monotonicMs() - startedMs;
      this.counts.setPresent(reading.containers.map(({ listed }) => listed));
      this.#latest = {
        reading: { ...reading, readAtMs: Date.now(), durationSeconds: tookMs / 1000 },
        validUntilMs: this.#monotonicMs() + 2 * intervalMs + timeoutMs + tookMs,
      };
    } catch (error) {
      const { reason, message } = api.explain(error);
      this.#latest = undefined;
      this.#failure = new SourceError(reason, message, { cause: error });
      // The same failure usually ends the event stream silently.
      this.#events.reconnect();
    }
  }

  async #repeat(signal: AbortSignal): Promise<void> {
    const { intervalMs } = this.#options;
    await pause(Math.min(intervalMs, SECOND_READING_MS), signal);
    while (!signal.aborted) {
      const startedMs = this.#monotonicMs();
      await this.read();
      const tookMs = this.#monotonicMs() - startedMs;
      const pauseMs = Math.max(intervalMs - tookMs, tookMs * PAUSE_RATIO);
      const leadMs = Math.min(WAKE_LEAD_MS, pauseMs);
      await pause(pauseMs - leadMs, signal);
      if (leadMs < pauseMs && !signal.aborted) this.#reader.wake();
      await pause(leadMs, signal);
    }
  }
}
