/**
 * Turns a reading of the engine into samples.
 *
 * @module
 */
import { type Labels, Snapshot } from "../../lib/exposition.ts";
import { type ChosenLabels, valuesOf } from "./chosen_labels.ts";
import { CONTAINER_STATES, HEALTH_STATUSES, shortId } from "./container.ts";
import type { ContainerReading, EngineReading } from "./engine_reader.ts";
import { textOf } from "./json.ts";
import { ENGINE_METRICS as METRICS, NETWORK_METRICS } from "./metrics.ts";
import { type ContainerStats, memoryPercent } from "./stats.ts";

/** Labels that `docker compose` puts on its containers. */
const PROJECT_LABEL = "com.docker.compose.project";
const SERVICE_LABEL = "com.docker.compose.service";

/** Returns the samples of a reading. */
export function engineSnapshot(reading: EngineReading, chosen: ChosenLabels | undefined): Snapshot {
  const snapshot = new Snapshot();
  const { engine, containers } = reading;
  snapshot.add(METRICS.engineInfo, 1, {
    engine: engine.name,
    version: engine.version,
    api_version: engine.apiVersion,
    os: engine.os,
    arch: engine.arch,
    kernel: engine.kernel,
  });
  const count = new Map<string, number>(CONTAINER_STATES.map((state) => [state, 0]));
  for (const container of containers) {
    const state = stateOf(container);
    count.set(state, (count.get(state) ?? 0) + 1);
    const labels = { name: container.listed.name, id: shortId(container.listed.id) };
    addDescription(snapshot, container, labels);
    if (chosen) snapshot.add(chosen.metric, 1, { ...labels, ...valuesOf(chosen, container.listed.labels) });
    addUsage(snapshot, container, labels);
  }
  for (const [state, number] of count) snapshot.add(METRICS.containers, number, { state });
  return snapshot;
}

function stateOf({ details, listed }: ContainerReading): string {
  return details?.state ?? listed.state;
}

function addDescription(snapshot: Snapshot, container: ContainerReading, labels: Labels): void {
  const { listed, details } = container;
  snapshot.add(METRICS.info, 1, {
    ...labels,
    image: listed.image,
    project: textOf(listed.labels[PROJECT_LABEL]) ?? "",
    service: textOf(listed.labels[SERVICE_LABEL]) ?? "",
  });
  for (const [state, value] of stateSet(CONTAINER_STATES, stateOf(container))) {
    snapshot.add(METRICS.state, value, { ...labels, state });
  }
  if (!details) return;
  if (details.health !== undefined) {
    for (const [status, value] of stateSet(HEALTH_STATUSES, details.health)) {
      snapshot.add(METRICS.health, value, { ...labels, status });
    }
  }
  snapshot.add(METRICS.restarts, details.restarts, labels);
  snapshot.add(METRICS.exitCode, details.exitCode, labels);
  snapshot.add(
    METRICS.oomKilled,
    details.isOomKilled === undefined ? undefined : Number(details.isOomKilled),
    labels,
  );
  snapshot.add(METRICS.cpuLimit, details.limits.cpuRatio, labels);
  snapshot.add(METRICS.memoryReservation, details.limits.memoryReservationBytes, labels);
  snapshot.add(METRICS.pidsLimit, details.limits.pids, labels);
  snapshot.add(METRICS.startTime, toSeconds(details.startedMs, 1e3), labels);
  snapshot.add(METRICS.finishTime, toSeconds(details.finishedMs, 1e3), labels);
}

/** 1 for the current value, 0 for the others; a value that is not among the known ones is added. */
function stateSet(known: readonly string[], current: string): [string, number][] {
  const all = known.includes(current) ? known : [...known, current];
  return all.map((value) => [value, value === current ? 1 : 0]);
}

function addUsage(snapshot: Snapshot, { stats, cpuPercent }: ContainerReading, labels: Labels): void {
  if (!stats) return;
  snapshot.add(METRICS.cpuPercent, cpuPercent, labels);
  snapshot.add(METRICS.cpuUsageSeconds, toSeconds(stats.cpuNanoseconds, 1e9), labels);
  snapshot.add(METRICS.cpuSeconds, toSeconds(stats.cpuUserNanoseconds, 1e9), { ...labels, mode: "user" });
  snapshot.add(METRICS.cpuSeconds, toSeconds(stats.cpuKernelNanoseconds, 1e9), { ...labels, mode: "kernel" });
  snapshot.add(METRICS.cpuThrottledSeconds, toSeconds(stats.throttledNanoseconds, 1e9), labels);
  snapshot.add(METRICS.cpuThrottledPeriods, stats.throttledPeriods, labels);
  snapshot.add(METRICS.cpuPeriods, stats.cpuPeriods, labels);
  snapshot.add(METRICS.memoryPercent, memoryPercent(stats), labels);
  snapshot.add(METRICS.memoryUsage, stats.memoryUsageBytes, labels);
  snapshot.add(METRICS.memoryLimit, stats.memoryLimitBytes, labels);
  snapshot.add(METRICS.memoryCache, stats.memoryCacheBytes, labels);
  snapshot.add(METRICS.memoryAnonymous, stats.memoryAnonymousBytes, labels);
  snapshot.add(METRICS.memorySwap, stats.memorySwapBytes, labels);
  snapshot.add(METRICS.memoryFailures, stats.memoryFailures, labels);
  snapshot.add(METRICS.blockRead, stats.blockReadBytes, labels);
  snapshot.add(METRICS.blockWrite, stats.blockWriteBytes, labels);
  snapshot.add(METRICS.pids, stats.pids, labels);
  addNetworks(snapshot, stats, labels);
}

function addNetworks(snapshot: Snapshot, stats: ContainerStats, labels: Labels): void {
  for (const network of stats.networks) {
    const own = { ...labels, interface: network.interface };
    for (const direction of ["receive", "transmit"] as const) {
      const counters = network[direction];
      const metrics = NETWORK_METRICS[direction];
      snapshot.add(metrics.bytes, counters.bytes, own);
      snapshot.add(metrics.packets, counters.packets, own);
      snapshot.add(metrics.errors, counters.errors, own);
      snapshot.add(metrics.dropped, counters.dropped, own);
    }
  }
}

function toSeconds(value: number | undefined, unitsPerSecond: 1e3 | 1e9): number | undefined {
  return value === undefined ? undefined : value / unitsPerSecond;
}
