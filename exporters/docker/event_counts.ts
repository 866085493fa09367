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
}

interface GoneCounts extends ContainerCounts {
  readonly sinceMs: number;
}

/** A container that exists. */
export interface PresentContainer {
  readonly id: string;
  readonly name: string;
}

/** Counters since the exporter started. */
export class EventCounts {
  readonly #monotonicMs: () => number;
  #present = new Map<string, ContainerCounts>();
  /** Those that no list shows, longest gone first: removed, or not listed yet. */
  readonly #gone = new Map<string, GoneCounts>();
  readonly #byAction = new Map<string, number>(FOLLOWED_ACTIONS.map((action) => [action, 0]));
  readonly #byExitCode = new Map<string, number>();
  /** Actions that the engine is not known to send. */
  #unsent: readonly string[] = [];
  #isChanged = true;

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /** Whether there is something new since the last snapshot. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** Names actions that this engine may never send: absent until the first, for 0 would mean that none happened. */
  setUnsent(actions: readonly string[]): void {
    this.#unsent = actions;
    this.#isChanged = true;
  }

  /** Counts an event; one that no engine is known to send is ignored, for it would make a series. */
  add({ id, name, action, exitCode }: ContainerEvent): void {
    if (!this.#byAction.has(action)) return;
    const { byAction } = this.#countsOf(shortId(id), name);
    increase(byAction, action);
    increase(this.#byAction, action);
    if (action === "die" && exitCode !== undefined && /^\d{1,3}$/.test(exitCode)) {
      increase(this.#byExitCode, exitCode);
    }
    this.#isChanged = true;
  }

  /** Takes the containers that exist now. */
  setPresent(containers: readonly PresentContainer[]): void {
    const previous = this.#present;
    this.#present = new Map();
    for (const { id: wholeId, name } of containers) {
      const id = shortId(wholeId);
      const known = previous.get(id) ?? this.#gone.get(id);
      this.#isChanged ||= known?.name !== name;
      this.#present.set(id, { id, name, byAction: known?.byAction ?? new Map() });
      this.#gone.delete(id);
    }
    for (const [id, counts] of previous) {
      if (!this.#present.has(id)) this.#setGone(counts);
    }
    for (const [id, { sinceMs }] of this.#gone) {
      if (this.#monotonicMs() - sinceMs <= RETENTION_MS) break;
      this.#gone.delete(id);
      this.#isChanged = true;
    }
  }

  /** The counters as samples. */
  snapshot(reconnects: number): Snapshot {
    this.#isChanged = false;
    const snapshot = new Snapshot();
    for (const { id, name, byAction } of [...this.#present.values(), ...this.#gone.values()].sort(byName)) {
      const labels = { name, id };
      snapshot.add(METRICS.oom, this.#shown("oom", byAction.get("oom") ?? 0), labels);
      const actions = [...new Set([...EXPECTED_ACTIONS, ...byAction.keys()])].sort();
      for (const action of actions) {
        snapshot.add(METRICS.containerEvents, byAction.get(action) ?? 0, { ...labels, action });
      }
    }
    for (const [action, count] of this.#byAction) {
      snapshot.add(METRICS.events, this.#shown(action, count), { action });
    }
    for (const [code, count] of [...this.#byExitCode].sort(byCode)) {
      snapshot.add(METRICS.exits, count, { exit_code: code });
    }
    snapshot.add(METRICS.reconnects, reconnects);
    return snapshot;
  }

  #shown(action: string, count: number): number | undefined {
    return count === 0 && this.#unsent.includes(action) ? undefined : count;
  }

  #countsOf(id: string, name: string): ContainerCounts {
    const present = this.#present.get(id);
    if (present) {
      present.name = name;
      return present;
    }
    const byAction = this.#gone.get(id)?.byAction ?? new Map();
    this.#gone.delete(id);
    return this.#setGone({ id, name, byAction });
  }

  #setGone(counts: ContainerCounts): ContainerCounts {
    this.#gone.set(counts.id, { ...counts, sinceMs: this.#monotonicMs() });
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= MAX_GONE) break;
      this.#gone.delete(oldest);
    }
    this.#isChanged = true;
    return counts;
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
