/**
 * The docker exporter on a real engine, held against the kernel's control groups and the engine's own answers.
 *
 * @module
 */
import { FOLLOWED_ACTIONS } from "../../exporters/docker/event_stream.ts";
import { ENGINE_METRICS, EVENT_METRICS, NETWORK_METRICS } from "../../exporters/docker/metrics.ts";
import type { MetricDefinition } from "../../lib/exposition.ts";
import type { Subject } from "../soak/subjects.ts";
import type { ExporterProcess } from "../support/exporter_process.ts";
import type { Random } from "../support/random.ts";
import { type RigOptions, startOnRig } from "../support/rigs/rig.ts";
import { type Inspection, RealContainers } from "./containers.ts";
import type { Account, Row } from "./row.ts";
import { createSubject, type Source } from "./subject.ts";

const INTERVAL_MS = 500;
/** How many looks are "lately". */
const LOOKS = 10;
/** An interval, and that of the events; what the engine takes comes on top, as measured. */
const MAX_AGE_MS = 1_500;

class DockerSource implements Source {
  readonly containers: RealContainers;
  readonly #lookMs: number[] = [];

  constructor(containers: RealContainers, readonly exporter: ExporterProcess) {
    this.containers = containers;
  }

  static async create(options: RigOptions): Promise<DockerSource> {
    const containers = await RealContainers.start();
    try {
      containers.sinceSeconds = Date.now() / 1000;
      const args = [`--docker-host=unix://${containers.engine.socketPath}`, `--interval=${INTERVAL_MS}ms`];
      const source = new DockerSource(containers, await startOnRig("docker", args, options));
      await source.look();
      return source;
    } catch (error) {
      await containers[Symbol.asyncDispose]();
      throw error;
    }
  }

  async churn(random: Random): Promise<void> {
    if (!random.chance(0.05)) return;
    const { containers } = this;
    await containers.change(random.pick(containers.names), random.chance(0.5) ? "pause" : "stop");
  }

  async look(): Promise<void> {
    const startMs = performance.now();
    await this.containers.look();
    this.#lookMs.push(performance.now() - startMs);
    if (this.#lookMs.length > LOOKS) this.#lookMs.shift();
  }

  /** The exporter waits as long: for the answer on the page, and for the next that is not there yet. */
  sourceMs(): number {
    return 2 * Math.max(...this.#lookMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exporter[Symbol.asyncDispose]();
    await this.containers[Symbol.asyncDispose]();
  }
}

const KERNEL = "the container's control group and network namespace";
const PREFIX = "docker_container_";

/** The kernel's own value of a metric. */
function kernel(
  { name }: MetricDefinition,
  { labels = [], from = "account" }: { labels?: readonly string[]; from?: "account" | "lastAccount" } = {},
): Account<DockerSource> {
  return ({ containers }) =>
    containers.seen.flatMap((container) => {
      const value = container[from][name.slice(PREFIX.length)];
      return value === undefined ? [] : [[[container.name, ...labels], value] as const];
    });
}

/** What the engine answers of a container; undefined: nothing is to be shown. */
function inspected(
  read: (state: Inspection["State"], inspection: Inspection) => number | undefined,
): Account<DockerSource> {
  return ({ containers }) =>
    containers.seen.flatMap(({ name, inspection }) => {
      const value = read(inspection.State, inspection);
      return value === undefined ? [] : [[[name], value] as const];
    });
}

const BY_NAME = { labels: ["name"], isBetween: true, mayBeAbsent: true } as const;
const ENGINE = { ...BY_NAME, against: "the engine's inspect" } as const;
const unixSeconds = (text: string): number => Date.parse(text) / 1000;
const STATES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const MOVES = "it moves: between two looks of the kernel's";

/** Metrics of the docker exporter. */
export const DOCKER_ROWS: readonly Row<DockerSource>[] = [
  ...([
    [ENGINE_METRICS.cpuUsageSeconds, 0.5],
    [ENGINE_METRICS.cpuPeriods, 20],
    [ENGINE_METRICS.cpuThrottledPeriods, 20],
    [ENGINE_METRICS.cpuThrottledSeconds, 2],
    [ENGINE_METRICS.memoryFailures, 0],
  ] as const).map(([metric, absolute]) => ({
    ...BY_NAME,
    metric,
    against: KERNEL,
    why: `${MOVES}; ${absolute} more: what it did from the last look until its end`,
    tolerance: { absolute },
    account: kernel(metric),
  })),
  ...[ENGINE_METRICS.cpuLimit, ENGINE_METRICS.memoryReservation, ENGINE_METRICS.pidsLimit].map((metric) => ({
    ...BY_NAME,
    metric,
    against: KERNEL,
    account: kernel(metric, { from: "lastAccount" }),
  })),
  {
    ...BY_NAME,
    metric: ENGINE_METRICS.memoryLimit,
    against: KERNEL,
    account: kernel(ENGINE_METRICS.memoryLimit),
  },
  ...[ENGINE_METRICS.memoryUsage, ENGINE_METRICS.memoryCache, ENGINE_METRICS.memoryAnonymous].map((
    metric,
  ) => ({
    ...BY_NAME,
    metric,
    against: KERNEL,
    why: "8 MiB: between two looks it writes and frees as much",
    tolerance: { absolute: 8 * 1024 ** 2 },
    account: kernel(metric),
  })),
  {
    ...BY_NAME,
    metric: ENGINE_METRICS.pids,
    against: KERNEL,
    why: "2: its shell starts programs and they end, between two looks",
    tolerance: { absolute: 2 },
    account: kernel(ENGINE_METRICS.pids),
  },
  ...([
    [NETWORK_METRICS.receive.bytes, 2_000],
    [NETWORK_METRICS.receive.packets, 20],
    [NETWORK_METRICS.transmit.bytes, 2_000],
    [NETWORK_METRICS.transmit.packets, 20],
  ] as const).map(([metric, absolute]) => ({
    ...BY_NAME,
    metric,
    labels: ["name", "interface"],
    against: KERNEL,
    why: `${MOVES}; ${absolute} more: from the last look until its end`,
    tolerance: { absolute },
    account: kernel(metric, { labels: ["eth0"] }),
  })),
  {
    ...ENGINE,
    metric: ENGINE_METRICS.state,
    labels: ["name", "state"],
    isBetween: false,
    mayBeAbsent: false,
    account: ({ containers }) =>
      containers.seen.flatMap(({ name, inspection }) =>
        STATES.map((state) => [[name, state], Number(inspection.State.Status === state)] as const)
      ),
  },
  {
    metric: ENGINE_METRICS.containers,
    against: "the engine's inspect of every container",
    labels: ["state"],
    account: ({ containers }) =>
      STATES.map((state) => [
        [state],
        containers.seen.filter(({ inspection }) => inspection.State.Status === state).length,
      ]),
  },
  { ...ENGINE, metric: ENGINE_METRICS.restarts, account: inspected((_, { RestartCount }) => RestartCount) },
  {
    ...ENGINE,
    metric: ENGINE_METRICS.exitCode,
    account: inspected(({ Running, ExitCode }) => Running ? undefined : ExitCode),
  },
  {
    ...ENGINE,
    metric: ENGINE_METRICS.startTime,
    tolerance: { absolute: 1e-3 },
    account: inspected(({ StartedAt }) => unixSeconds(StartedAt)),
  },
  {
    ...ENGINE,
    metric: ENGINE_METRICS.finishTime,
    tolerance: { absolute: 1e-3 },
    account: inspected(({ Running, FinishedAt }) => Running ? undefined : unixSeconds(FinishedAt)),
  },
  { ...ENGINE, metric: ENGINE_METRICS.oomKilled, account: inspected(({ OOMKilled }) => Number(OOMKilled)) },
  {
    metric: EVENT_METRICS.events,
    against: "docker events since the exporter started",
    labels: ["action"],
    isBetween: true,
    account: ({ containers }) =>
      FOLLOWED_ACTIONS.map((action) => [
        [action],
        containers.events.get(action) ?? 0,
      ]),
  },
  { metric: EVENT_METRICS.reconnects, against: "an engine that goes on: 0", account: () => [[[], 0]] },
  ...[
    ENGINE_METRICS.info,
    ENGINE_METRICS.engineInfo,
    ENGINE_METRICS.health,
    ENGINE_METRICS.blockRead,
    ENGINE_METRICS.blockWrite,
    ENGINE_METRICS.memoryPercent,
    ENGINE_METRICS.memorySwap,
    EVENT_METRICS.oom,
    EVENT_METRICS.containerEvents,
    EVENT_METRICS.exits,
  ].map((metric) => ({
    metric,
    because:
      "tests/docker/engine_test.ts and tests/docker/vintages_test.ts hold it against the engine's command",
  })),
  ...[
    NETWORK_METRICS.receive.errors,
    NETWORK_METRICS.receive.dropped,
    NETWORK_METRICS.transmit.errors,
    NETWORK_METRICS.transmit.dropped,
  ].map((metric) => ({ metric, because: "a container's network loses nothing: tests/docker/stats_test.ts" })),
  {
    metric: ENGINE_METRICS.cpuSeconds,
    because: "the kernel counts it in ticks and scales it: tests/docker/stats_test.ts",
  },
  {
    metric: ENGINE_METRICS.cpuPercent,
    because: "a rate of two readings: tests/docker/engine_test.ts, of a load that is known",
  },
  { metric: ENGINE_METRICS.apiDuration, because: "only the exporter sees it: tests/docker/exporter_test.ts" },
];

/** Starts it. */
export function dockerSubject(): Promise<Subject> {
  return createSubject({
    name: "docker",
    sources: ["docker", "docker_events", "http"],
    rows: DOCKER_ROWS,
    maxAgeMs: MAX_AGE_MS,
    create: DockerSource.create,
  });
}
