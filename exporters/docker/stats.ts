/**
 * A container's statistics as the engine gives them, for cgroup v1 and v2, with the arithmetic of
 * `docker stats`.
 *
 * Format: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerStats
 * Arithmetic: https://github.com/docker/cli/blob/v28.2.2/cli/command/container/stats_helpers.go
 *
 * @module
 */
import { amountOf, childOf, type JsonObject, objectOf, textOf, timeMsOf } from "./json.ts";

/** Counters of one network interface. */
export interface NetworkCounters {
  readonly interface: string;
  readonly receive: DirectionCounters;
  readonly transmit: DirectionCounters;
}

/** What went through an interface in one direction. */
export interface DirectionCounters {
  readonly bytes: number | undefined;
  readonly packets: number | undefined;
  readonly errors: number | undefined;
  readonly dropped: number | undefined;
}

/** One reading of a running container. What the engine does not give is undefined. */
export interface ContainerStats {
  /** When the engine read it, by the engine's clock, in milliseconds. */
  readonly readMs: number;
  /** CPU time of all cores since the container started, in nanoseconds. */
  readonly cpuNanoseconds: number | undefined;
  readonly cpuUserNanoseconds: number | undefined;
  readonly cpuKernelNanoseconds: number | undefined;
  /** Time that the container was kept from running by its CPU limit, in nanoseconds. */
  readonly throttledNanoseconds: number | undefined;
  /** Periods in which it used up its CPU limit, of all in which it ran with one. */
  readonly throttledPeriods: number | undefined;
  readonly cpuPeriods: number | undefined;
  /** Memory in use without the page cache that can be dropped at once, in bytes, as `docker stats` shows it. */
  readonly memoryUsageBytes: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly memoryCacheBytes: number | undefined;
  readonly memoryAnonymousBytes: number | undefined;
  readonly memorySwapBytes: number | undefined;
  /** cgroup v1: how often usage hit the limit; v2: how often the kernel ran out of memory at the limit. */
  readonly memoryFailures: number | undefined;
  /** By interface, in order of their names; none with the host's network or without one. */
  readonly networks: readonly NetworkCounters[];
  readonly blockReadBytes: number | undefined;
  readonly blockWriteBytes: number | undefined;
  readonly pids: number | undefined;
}

/** Reads the engine's answer; undefined when the container was not running. */
export function parseStats(body: JsonObject): ContainerStats | undefined {
  const readMs = timeMsOf(body["read"]);
  if (readMs === undefined) return undefined;
  const cpu = childOf(body, "cpu_stats");
  const cpuUsage = childOf(cpu, "cpu_usage");
  const throttling = childOf(cpu, "throttling_data");
  const memory = childOf(body, "memory_stats");
  const memoryParts = childOf(memory, "stats");
  return {
    readMs,
    cpuNanoseconds: amountOf(cpuUsage?.["total_usage"]),
    cpuUserNanoseconds: amountOf(cpuUsage?.["usage_in_usermode"]),
    cpuKernelNanoseconds: amountOf(cpuUsage?.["usage_in_kernelmode"]),
    throttledNanoseconds: amountOf(throttling?.["throttled_time"]),
    throttledPeriods: amountOf(throttling?.["throttled_periods"]),
    cpuPeriods: amountOf(throttling?.["periods"]),
    memoryUsageBytes: memoryUsage(amountOf(memory?.["usage"]), memoryParts),
    // An engine that could not read the limit reports 0.
    memoryLimitBytes: amountOf(memory?.["limit"]) || undefined,
    memoryCacheBytes: amountOf(
      memoryParts?.["total_cache"] ?? memoryParts?.["cache"] ?? memoryParts?.["file"],
    ),
    memoryAnonymousBytes: amountOf(memoryParts?.["total_rss"] ?? memoryParts?.["anon"]),
    memorySwapBytes: amountOf(memoryParts?.["total_swap"] ?? memoryParts?.["swap"]),
    // Docker omits a 0.
    memoryFailures: memory?.["usage"] === undefined ? undefined : amountOf(memory["failcnt"] ?? 0),
    networks: parseNetworks(objectOf(body["networks"])),
    ...parseBlock(childOf(body, "blkio_stats")?.["io_service_bytes_recursive"]),
    pids: amountOf(childOf(body, "pids_stats")?.["current"]),
  };
}

/**
 * The rule of docker's command line: usage less the inactive part of the page cache (`total_inactive_file`
 * of cgroup v1, `inactive_file` of v2), and all of it where that part is larger than the whole.
 */
function memoryUsage(usage: number | undefined, parts: JsonObject | undefined): number | undefined {
  if (usage === undefined) return undefined;
  for (const key of ["total_inactive_file", "inactive_file"]) {
    const inactive = amountOf(parts?.[key]);
    if (inactive !== undefined && inactive < usage) return usage - inactive;
  }
  return usage;
}

function parseNetworks(networks: JsonObject | undefined): NetworkCounters[] {
  return Object.entries(networks ?? {}).sort(byKey).map(([name, value]) => ({
    interface: name,
    receive: parseDirection(objectOf(value), "rx"),
    transmit: parseDirection(objectOf(value), "tx"),
  }));
}

function byKey([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1;
}

function parseDirection(counters: JsonObject | undefined, prefix: "rx" | "tx"): DirectionCounters {
  return {
    bytes: amountOf(counters?.[`${prefix}_bytes`]),
    packets: amountOf(counters?.[`${prefix}_packets`]),
    errors: amountOf(counters?.[`${prefix}_errors`]),
    dropped: amountOf(counters?.[`${prefix}_dropped`]),
  };
}

/** Sums the devices. A list that is missing was not read; an empty one means that nothing was transferred. */
function parseBlock(entries: unknown): Pick<ContainerStats, "blockReadBytes" | "blockWriteBytes"> {
  if (!Array.isArray(entries)) return { blockReadBytes: undefined, blockWriteBytes: undefined };
  let blockReadBytes = 0;
  let blockWriteBytes = 0;
  for (const entry of entries) {
    // "Read" of cgroup v1 is "read" of v2; other operations ("Sync", "Total") hold the same bytes again.
    const operation = textOf(objectOf(entry)?.["op"])?.toLowerCase();
    const bytes = amountOf(objectOf(entry)?.["value"]) ?? 0;
    if (operation === "read") blockReadBytes += bytes;
    if (operation === "write") blockWriteBytes += bytes;
  }
  return { blockReadBytes, blockWriteBytes };
}

/** Mean CPU use between two readings of the same run of a container: 100 is one core, all the time. */
export function cpuPercent(earlier: ContainerStats, later: ContainerStats): number | undefined {
  if (earlier.cpuNanoseconds === undefined || later.cpuNanoseconds === undefined) return undefined;
  const usedMs = (later.cpuNanoseconds - earlier.cpuNanoseconds) / 1e6;
  const elapsedMs = later.readMs - earlier.readMs;
  // A counter that fell belongs to another run, after a clock went back the time between is unknown.
  return usedMs >= 0 && elapsedMs > 0 ? usedMs / elapsedMs * 100 : undefined;
}

/** Memory use in percent of the limit. */
export function memoryPercent({ memoryUsageBytes, memoryLimitBytes }: ContainerStats): number | undefined {
  if (memoryUsageBytes === undefined || memoryLimitBytes === undefined) return undefined;
  return memoryUsageBytes / memoryLimitBytes * 100;
}
