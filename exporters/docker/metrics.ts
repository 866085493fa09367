/**
 * The metrics of the docker exporter: what is published under which name.
 *
 * Every series of a container has the labels `name` and `id` (12 digits); what describes it stands only in
 * `docker_container_info` and `docker_container_labels`, to be joined where it is wanted.
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";

/** Labels of every series of a container. */
export const CONTAINER = ["name", "id"];

/** One direction of a network interface's counters. */
function networkMetrics<D extends "receive" | "transmit">(
  direction: D,
): Record<"bytes" | "packets" | "errors" | "dropped", MetricDefinition> {
  const prefix = direction === "receive" ? "rx" : "tx";
  const verb = direction === "receive" ? "received" : "sent";
  const define = (what: string, help: string): MetricDefinition => ({
    name: `docker_container_network_${direction}_${what}_total`,
    type: "counter",
    help: `${help} (networks.*.${prefix}_${what}).`,
    labels: [...CONTAINER, "interface"],
  });
  return {
    bytes: define("bytes", `Bytes ${verb} by the container's interface`),
    packets: define("packets", `Packets ${verb} by the container's interface`),
    errors: define("errors", `Packets not ${verb} by the container's interface because of errors`),
    dropped: define("dropped", `Packets to be ${verb} that the container's interface dropped`),
  };
}

/** Read from the engine at each interval. */
export const ENGINE_METRICS = {
  info: {
    name: "docker_container_info",
    type: "gauge",
    help: "Always 1; the labels name the container's image, compose project and compose service.",
    labels: [...CONTAINER, "image", "project", "service"],
  },
  state: {
    name: "docker_container_state",
    type: "gauge",
    help: "1 for the state the container is in (State.Status), 0 for the others.",
    labels: [...CONTAINER, "state"],
  },
  health: {
    name: "docker_container_health",
    type: "gauge",
    help:
      "1 for the result of the container's health check (State.Health.Status), 0 for the rest; absent without one, and while the container does not run.",
    labels: [...CONTAINER, "status"],
  },
  restarts: {
    name: "docker_container_restarts_total",
    type: "counter",
    help: "Starts by the restart policy since the container was last started by hand (RestartCount).",
    labels: CONTAINER,
  },
  exitCode: {
    name: "docker_container_exit_code",
    type: "gauge",
    help: "Exit code of the container's last run (State.ExitCode); absent while it runs.",
    labels: CONTAINER,
  },
  startTime: {
    name: "docker_container_start_time_seconds",
    type: "gauge",
    help: "Unix time at which the container's last run began (State.StartedAt), in seconds.",
    labels: CONTAINER,
  },
  finishTime: {
    name: "docker_container_finish_time_seconds",
    type: "gauge",
    help:
      "Unix time at which the container's last run ended (State.FinishedAt), in seconds; absent while it runs.",
    labels: CONTAINER,
  },
  cpuPercent: {
    name: "docker_container_cpu_percent",
    type: "gauge",
    help: "CPU use between the last two readings, in percent of one core, as docker stats shows it.",
    labels: CONTAINER,
  },
  cpuUsageSeconds: {
    name: "docker_container_cpu_usage_seconds_total",
    type: "counter",
    help:
      "CPU time of all cores since the container started (cpu_usage.total_usage, nanoseconds), in seconds.",
    labels: CONTAINER,
  },
  cpuSeconds: {
    name: "docker_container_cpu_seconds_total",
    type: "counter",
    help:
      "CPU time in user and in kernel mode (cpu_usage.usage_in_*mode, nanoseconds), in seconds; the kernel counts it in ticks, less exactly than the whole.",
    labels: [...CONTAINER, "mode"],
  },
  cpuLimit: {
    name: "docker_container_cpu_limit_ratio",
    type: "gauge",
    help:
      "CPU limit as configured, where 1 is one core (HostConfig.NanoCpus, or CpuQuota / CpuPeriod); absent without one.",
    labels: CONTAINER,
  },
  cpuPeriods: {
    name: "docker_container_cpu_periods_total",
    type: "counter",
    help:
      "Periods of the CPU limit in which the container wanted to run (throttling_data.periods); absent from Podman.",
    labels: CONTAINER,
  },
  cpuThrottledPeriods: {
    name: "docker_container_cpu_throttled_periods_total",
    type: "counter",
    help:
      "Periods in which the container used up its CPU limit (throttling_data.throttled_periods); absent from Podman.",
    labels: CONTAINER,
  },
  cpuThrottledSeconds: {
    name: "docker_container_cpu_throttled_seconds_total",
    type: "counter",
    help:
      "Time the container's CPU limit kept it from running (throttling_data.throttled_time, nanoseconds), in seconds; absent from Podman.",
    labels: CONTAINER,
  },
  memoryPercent: {
    name: "docker_container_memory_percent",
    type: "gauge",
    help:
      "Memory in use (docker_container_memory_usage_bytes) in percent of the limit, as docker stats shows it.",
    labels: CONTAINER,
  },
  memoryUsage: {
    name: "docker_container_memory_usage_bytes",
    type: "gauge",
    help:
      "Memory in use as the engine's own stats command shows it: Docker's without inactive page cache (memory_stats.usage less inactive_file), Podman's as its version counts it (4.3 and 5.8 with all page cache, 5.4 without).",
    labels: CONTAINER,
  },
  memoryLimit: {
    name: "docker_container_memory_limit_bytes",
    type: "gauge",
    help: "Memory limit (memory_stats.limit): the machine's memory where the container has none.",
    labels: CONTAINER,
  },
  memoryCache: {
    name: "docker_container_memory_cache_bytes",
    type: "gauge",
    help: "Page cache (memory_stats.stats: total_cache of cgroup v1, file of v2); absent from Podman.",
    labels: CONTAINER,
  },
  memoryAnonymous: {
    name: "docker_container_memory_anonymous_bytes",
    type: "gauge",
    help:
      "Memory that no file backs, which only swap can free (memory_stats.stats: total_rss of cgroup v1, anon of v2); absent from Podman.",
    labels: CONTAINER,
  },
  memorySwap: {
    name: "docker_container_memory_swap_bytes",
    type: "gauge",
    help:
      "Memory in swap (memory_stats.stats: total_swap of cgroup v1, swap of v2), where the engine reports it.",
    labels: CONTAINER,
  },
  memoryReservation: {
    name: "docker_container_memory_reservation_bytes",
    type: "gauge",
    help: "Memory reservation as configured (HostConfig.MemoryReservation); absent without one.",
    labels: CONTAINER,
  },
  memoryFailures: {
    name: "docker_container_memory_failures_total",
    type: "counter",
    help:
      "Failures at the memory limit since the container started, counted by the kernel (memory_stats.failcnt): on cgroup v2 out of memory (memory.events, oom), on v1 every time usage hit the limit; absent from Podman.",
    labels: CONTAINER,
  },
  oomKilled: {
    name: "docker_container_oom_killed",
    type: "gauge",
    help:
      "Whether the engine noted that a process of the container was killed in its last run to free memory (State.OOMKilled); Docker 20.10 and Podman note it only when the container ends.",
    labels: CONTAINER,
  },
  blockRead: {
    name: "docker_container_block_read_bytes_total",
    type: "counter",
    help: "Bytes read from block devices (blkio_stats.io_service_bytes_recursive, all devices).",
    labels: CONTAINER,
  },
  blockWrite: {
    name: "docker_container_block_write_bytes_total",
    type: "counter",
    help: "Bytes written to block devices (blkio_stats.io_service_bytes_recursive, all devices).",
    labels: CONTAINER,
  },
  pids: {
    name: "docker_container_pids",
    type: "gauge",
    help: "Processes and threads in the container (pids_stats.current).",
    labels: CONTAINER,
  },
  pidsLimit: {
    name: "docker_container_pids_limit",
    type: "gauge",
    help: "Limit of processes and threads as configured (HostConfig.PidsLimit); absent without one.",
    labels: CONTAINER,
  },
  containers: {
    name: "docker_containers",
    type: "gauge",
    help: "Number of containers in each state, of those that are not filtered out.",
    labels: ["state"],
  },
  engineInfo: {
    name: "docker_engine_info",
    type: "gauge",
    help:
      "Always 1; the labels name the engine (docker, podman), its version and the version of its API in which it is read (/version).",
    labels: ["engine", "version", "api_version", "os", "arch", "kernel"],
  },
  apiDuration: {
    name: "docker_api_duration_seconds",
    type: "histogram",
    help: "Time that requests to the Docker Engine API took since the exporter started, in seconds.",
    labels: ["endpoint"],
  },
} as const satisfies Record<string, MetricDefinition>;

/** Counters of each network interface, by direction. */
export const NETWORK_METRICS = {
  receive: networkMetrics("receive"),
  transmit: networkMetrics("transmit"),
} as const;

/** Counted from the engine's event stream. */
export const EVENT_METRICS = {
  oom: {
    name: "docker_container_oom_total",
    type: "counter",
    help:
      "OOM events of the container since the exporter started: a process was killed to free memory; on cgroup v1 one kill can be two events; absent from Podman, which sends none.",
    labels: CONTAINER,
  },
  containerEvents: {
    name: "docker_container_events_total",
    type: "counter",
    help:
      "Events of the container since the exporter started; a removed container's are kept for ten minutes, so that a scrape sees them.",
    labels: [...CONTAINER, "action"],
  },
  events: {
    name: "docker_events_total",
    type: "counter",
    help:
      "Events of all containers since the exporter started, including those that are gone; from Podman, actions that it may never send are absent until the first.",
    labels: ["action"],
  },
  exits: {
    name: "docker_exits_total",
    type: "counter",
    help: "Ends of containers since the exporter started, by exit code (die events).",
    labels: ["exit_code"],
  },
  reconnects: {
    name: "docker_event_stream_reconnects_total",
    type: "counter",
    help: "Times the connection to the engine's event stream was lost since the exporter started.",
  },
} as const satisfies Record<string, MetricDefinition>;
