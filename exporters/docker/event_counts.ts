/**
 * Counts events, by container and over all of them. A container that is gone keeps its counters for a while,
 * so that a scrape sees what happened to one that lived three seconds.
 *
 * @module
 */
import { Snapshot } from "../../lib/exposition.ts";
import { shortId } from "./container.ts";
import { type ContainerEvent, FOLLOWED_ACTIONS } from "./event_stream.ts";
import { EVENT_METRICS as METRICS } from "./metrics.ts";

/** How long the counters of a container that is gone stay, in milliseconds. */
const RETENTION_MS = 600_000;
/** Containers that are gone and still counted, at most: the oldest give way. */
const MAX_GONE = 1000;
/** Shown as 0 for every container, so that the first of them is an increase. */
const EXPECTED_ACTIONS: readonly string[] = ["start", "die", "restart"];

interface ContainerCounts {
  /** As docker shows it, 12 digits. */
  readonly id: string;
  name: string;
  readonly byAction: Map<string, number>;
  goneSinceMs: number | undefined;
}

/** A container that exists. */
export interface PresentContainer {
  readonly id: string;
  readonly name: string;
}

/** Counters since the exporter started. */
export class EventCounts {
  readonly #monotonicMs: () => number;
  readonly #containers = new Map<string, ContainerCounts>();
  readonly #byAction = new Map<string, number>(FOLLOWED_ACTIONS.map((action) => [action, 0]));
  readonly #byExitCode = new Map<string, number>();
  #isChanged = true;

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /** Whether there is something new since the last snapshot. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** Counts an event. */
  add({ id, name, action, exitCode }: ContainerEvent): void {
    const counts = this.#countsOf(shortId(id), name);
    increase(counts.byAction, action);
    increase(this.#byAction, action);
    if (action === "die" && exitCode !== undefined && /^\d{1,3}$/.test(exitCode)) {
      increase(this.#byExitCode, exitCode);
    }
    this.#isChanged = true;
  }

  /** Says which containers exist now. */
  setPresent(containers: readonly PresentContainer[]): void {
    const present = new Set<string>();
    for (const { id, name } of containers) {
      present.add(shortId(id));
      this.#countsOf(shortId(id), name).goneSinceMs = undefined;
    }
    const nowMs = this.#monotonicMs();
    const gone = [...this.#containers.values()].filter(({ id }) => !present.has(id));
    for (const counts of gone) counts.goneSinceMs ??= nowMs;
    gone.sort((left, right) => (right.goneSinceMs ?? 0) - (left.goneSinceMs ?? 0));
    gone.forEach((counts, index) => {
      if (index >= MAX_GONE || nowMs - (counts.goneSinceMs ?? 0) > RETENTION_MS) this.#forget(counts);
    });
  }

  /** The counters as samples. */
  snapshot(reconnects: number): Snapshot {
    this.#isChanged = false;
    const snapshot = new Snapshot();
    for (const { id, name, byAction } of [...this.#containers.values()].sort(byName)) {
      const labels = { name, id };
      snapshot.add(METRICS.oom, byAction.get("oom") ?? 0, labels);
      const actions = [...new Set([...EXPECTED_ACTIONS, ...byAction.keys()])].sort();
      for (const action of actions) {
        snapshot.add(METRICS.containerEvents, byAction.get(action) ?? 0, { ...labels, action });
      }
    }
    for (const [action, count] of this.#byAction) snapshot.add(METRICS.events, count, { action });
    for (const [code, count] of [...this.#byExitCode].sort(byCode)) {
      snapshot.add(METRICS.exits, count, { exit_code: code });
    }
    snapshot.add(METRICS.reconnects, reconnects);
    return snapshot;
  }

  #countsOf(id: string, name: string): ContainerCounts {
    let counts = this.#containers.get(id);
    if (!counts) {
      this.#containers.set(id, counts = { id, name, byAction: new Map(), goneSinceMs: undefined });
      this.#isChanged = true;
    } else if (counts.name !== name) {
      counts.name = name;
      this.#isChanged = true;
    }
    return counts;
  }

  #forget({ id }: ContainerCounts): void {
    this.#containers.delete(id);
    this.#isChanged = true;
  }
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function byName(left: ContainerCounts, right: ContainerCounts): number {
  return `${left.name}\n${left.id}` < `${right.name}\n${right.id}` ? -1 : 1;
}

function byCode([left]: [string, number], [right]: [string, number]): number {
  return Number(left) - Number(right);
}
