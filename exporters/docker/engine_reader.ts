/**
 * Reads all containers of an engine once: the list, what has changed about each, the statistics of those that
 * run. Inspections are remembered until an event, or the list, shows a change.
 *
 * @module
 */
import type { Problem } from "../../lib/collector.ts";
import {
  type ContainerDetails,
  hasStats,
  type ListedContainer,
  parseDetails,
  parseListed,
  shortId,
} from "./container.ts";
import type { DockerApi } from "./docker_api.ts";
import { DockerApiError } from "./docker_api_error.ts";
import type { Engine } from "./engine.ts";
import { MAX_CONCURRENCY } from "./manifest.ts";
import { correctPodmanStats } from "./podman.ts";
import { ReadingPass } from "./reading_pass.ts";
import { type ContainerStats, cpuPercent, parseStats } from "./stats.ts";

/** What was read of one container. */
export interface ContainerReading {
  readonly listed: ListedContainer;
  /** Undefined when the engine did not answer in time. */
  readonly details: ContainerDetails | undefined;
  /** Undefined when it does not run, or the engine did not answer in time. */
  readonly stats: ContainerStats | undefined;
  /** Since the reading before: undefined at first. */
  readonly cpuPercent: number | undefined;
}

/** What was read of an engine. */
export interface EngineReading {
  readonly engine: Engine;
  /** Ordered by name. */
  readonly containers: readonly ContainerReading[];
  readonly problems: readonly Problem[];
}

/** Options of {@linkcode EngineReader}. */
export interface EngineReaderOptions {
  readonly api: DockerApi;
  /** Containers read at once, at most. @default 100, or 16 from an engine that answers at once */
  readonly concurrency?: number | undefined;
  /** Whether a container of this name is wanted. */
  readonly isWanted: (name: string) => boolean;
  /** Whether events come in, so that no change is missed. */
  readonly hasEvents: () => boolean;
}

/** An inspection is repeated after this long even if nothing seems to have changed, in milliseconds. */
const DETAILS_MAX_AGE_MS = 300_000;

/** The same where each answer comes when it is asked for: more at once would only cost more. */
const IMMEDIATE_CONCURRENCY = 16;
/** How long before a reading to wake the engine up: less than its second, by what sending the requests takes. */
export const WAKE_LEAD_MS = 850;
/** For fewer containers it is not worth a request more. */
const WAKE_MIN_CONTAINERS = 10;

interface KnownDetails {
  readonly details: ContainerDetails;
  readonly validUntilMs: number;
}

/** Reads one engine again and again. */
export class EngineReader {
  readonly #options: EngineReaderOptions;
  readonly #known = new Map<string, KnownDetails>();
  /** Containers that something has happened to since they were inspected. */
  readonly #changed = new Set<string>();
  #previous = new Map<string, ContainerReading>();
  #engine: Engine | undefined;

  constructor(options: EngineReaderOptions) {
    this.#options = options;
  }

  /** Forgets the inspection of a container that has changed. */
  invalidate(id: string): void {
    this.#changed.add(id);
  }

  /** Forgets all inspections: changes may have been missed. */
  invalidateAll(): void {
    this.#known.clear();
  }

  /**
   * Wakes the engine up, {@linkcode WAKE_LEAD_MS} before a reading. Docker before 25 takes statistics once a second
   * while somebody waits for them, and of one container at once when it was idle: all others would wait for the next
   * second.
   */
  wake(): void {
    const running = [...this.#previous.values()].filter(({ stats }) => stats !== undefined);
    const [first] = running;
    if (!first || running.length < WAKE_MIN_CONTAINERS || this.#engine?.hasImmediateStats !== false) return;
    this.#options.api.stats(first.listed.id).catch((error) => {
      // The next reading will hit and report the same failure.
      if (!(error instanceof DockerApiError)) throw error;
    });
  }

  /** Reads everything. @throws {DockerApiError} when the engine cannot be read */
  async read(): Promise<EngineReading> {
    const { api, isWanted } = this.#options;
    const engine = this.#engine = await api.negotiate();
    const concurrency = this.#options.concurrency ??
      (engine.hasImmediateStats ? IMMEDIATE_CONCURRENCY : MAX_CONCURRENCY);
    const listed = (await api.list()).map(parseListed).filter((listed) => listed !== undefined);
    // Each once, even if the engine lists one twice: two samples of one series would spoil the page.
    const wanted = [...new Map(listed.map((listed) => [shortId(listed.id), listed])).values()]
      .filter(({ name }) => isWanted(name));
    const pass = new ReadingPass(concurrency);
    const unread = { details: undefined, stats: undefined, cpuPercent: undefined };
    const readings = await pass.run(
      wanted,
      (listed) => this.#readContainer(listed, pass),
      (listed): ContainerReading => ({ listed, ...unread }),
    );
    const containers = readings.sort(byName);
    this.#remember(containers);
    return { engine, containers, problems: pass.problems(wanted.length) };
  }

  async #readContainer(listed: ListedContainer, pass: ReadingPass): Promise<ContainerReading | undefined> {
    let details: ContainerDetails | undefined;
    try {
      details = await this.#details(listed);
      const stats = hasStats(details.state) ? await this.#stats(listed.id) : undefined;
      if (!(stats instanceof DockerApiError)) {
        return { listed, details, stats, cpuPercent: this.#cpuPercent(listed.id, details, stats) };
      }
      // It may have stopped just now: then what is known of it is no longer true.
      details = await this.#inspect(listed.id);
      if (hasStats(details.state)) pass.note(listed.name, stats);
    } catch (error) {
      const failure = this.#options.api.explain(error);
      if (failure.reason === "gone") return undefined;
      pass.note(listed.name, failure);
    }
    return { listed, details, stats: undefined, cpuPercent: undefined };
  }

  /**
   * Of a container that has just stopped there are none: Docker answers with zeros then, Podman with an error (5.8) or
   * nothing (4.3).
   */
  async #stats(id: string): Promise<ContainerStats | DockerApiError> {
    const { api } = this.#options;
    try {
      const stats = parseStats(await api.stats(id));
      if (!stats) return noStatistics();
      return this.#engine?.name === "podman" ? correctPodmanStats(stats, this.#engine.version) : stats;
    } catch (error) {
      const failure = api.explain(error);
      if (failure.reason === "refused" || failure.reason === "invalid") return failure;
      throw failure;
    }
  }

  #details(listed: ListedContainer): Promise<ContainerDetails> | ContainerDetails {
    const known = this.#known.get(listed.id);
    const isValid = known && this.#options.hasEvents() && !this.#changed.has(listed.id) &&
      known.details.state === listed.state && performance.now() < known.validUntilMs;
    return isValid ? known.details : this.#inspect(listed.id);
  }

  async #inspect(id: string): Promise<ContainerDetails> {
    // Before the request, so that a change during it counts.
    this.#changed.delete(id);
    const details = parseDetails(await this.#options.api.inspect(id));
    // Spread over time, or all containers would be inspected at once every five minutes.
    const validUntilMs = performance.now() + DETAILS_MAX_AGE_MS * (0.5 + Math.random() / 2);
    this.#known.set(id, { details, validUntilMs });
    return details;
  }

  #cpuPercent(
    id: string,
    details: ContainerDetails,
    stats: ContainerStats | undefined,
  ): number | undefined {
    const previous = this.#previous.get(id);
    const isSameRun = previous?.details?.startedMs === details.startedMs;
    return stats && previous?.stats && isSameRun ? cpuPercent(previous.stats, stats) : undefined;
  }

  /** Keeps the readings for the next pass, and forgets the containers that are gone. */
  #remember(containers: readonly ContainerReading[]): void {
    this.#previous = new Map(containers.map((reading) => [reading.listed.id, reading]));
    for (const kept of [this.#known, this.#changed]) {
      for (const id of kept.keys()) {
        if (!this.#previous.has(id)) kept.delete(id);
      }
    }
  }
}

function noStatistics(): DockerApiError {
  return new DockerApiError(
    "no_stats",
    'the engine lists it as running and has no statistics of it; see "journalctl -u docker"',
  );
}

function byName(left: ContainerReading, right: ContainerReading): number {
  const [leftKey, rightKey] = [left, right].map(({ listed }) => `${listed.name}\n${listed.id}`);
  return (leftKey ?? "") < (rightKey ?? "") ? -1 : 1;
}
