/**
 * A container of the simulated engine, and the answers that the engine gives about it.
 *
 * The answers have the shape of Docker 20.10 on cgroup v1 and of Docker 28 on cgroup v2, or of Podman 5.8.
 *
 * @module
 */

/** Bytes that go through a network interface. */
export interface SimulatedNetwork {
  readonly receiveBytesPerSecond: number;
  readonly transmitBytesPerSecond: number;
}

/** A container. All of it may be changed while the engine runs. */
export interface SimulatedContainer {
  /** 64 hexadecimal digits. */
  readonly id: string;
  name: string;
  image: string;
  labels: Record<string, string>;
  state: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
  health?: "starting" | "healthy" | "unhealthy";
  exitCode: number;
  /** Whether the engine noted that it ran out of memory. */
  isOomKilled: boolean;
  restarts: number;
  /** 0: never. */
  startedMs: number;
  /** 0: never. */
  finishedMs: number;
  /** Mean load: 0.3 is 30 % of a core. */
  cores: number;
  /** How much the load changes over time: 0 not at all, 1 down to nothing. */
  unrest: number;
  memoryBytes: number;
  /** Part of the memory that is page cache; half of that is inactive. */
  cacheBytes: number;
  memoryLimitBytes: number;
  /** How often it reached that limit. */
  memoryFailures: number;
  /** Limits as configured; 0: none. A core is 1. */
  cpuLimit: number;
  memoryReservationBytes: number;
  pidsLimit: number;
  /** By interface; none with the host's network or without any. */
  networks: Record<string, SimulatedNetwork>;
  readBytesPerSecond: number;
  writeBytesPerSecond: number;
  pids: number;
}

const GO_ZERO_TIME = "0001-01-01T00:00:00Z";
const MACHINE_MEMORY_BYTES = 32 * 1024 ** 3;
/** Time in which the load goes up and down once, in seconds. */
const PERIOD_SECONDS = 90;

/** Makes a container that runs since `startedMs`; `index` makes its identifier. */
export function simulatedContainer(
  index: number,
  values: Partial<Omit<SimulatedContainer, "id">> = {},
): SimulatedContainer {
  return {
    id: (index + 1).toString(16).padStart(12, "c0ffee000000").padEnd(64, "0"),
    name: `container-${index}`,
    image: "transcoder:1",
    labels: {},
    state: "running",
    exitCode: 0,
    isOomKilled: false,
    restarts: 0,
    startedMs: Date.UTC(2026, 0, 1),
    finishedMs: 0,
    cores: 0.25,
    unrest: 0,
    memoryBytes: 64 * 1024 ** 2,
    cacheBytes: 16 * 1024 ** 2,
    memoryLimitBytes: MACHINE_MEMORY_BYTES,
    memoryFailures: 0,
    cpuLimit: 0,
    memoryReservationBytes: 0,
    pidsLimit: 0,
    networks: { eth0: { receiveBytesPerSecond: 15_000, transmitBytesPerSecond: 3_000 } },
    readBytesPerSecond: 0,
    writeBytesPerSecond: 4096,
    pids: 4,
    ...values,
  };
}

/** Whether the engine has statistics for it. */
export function isActive({ state }: SimulatedContainer): boolean {
  return state === "running" || state === "paused";
}

/** Its entry in `GET /containers/json`. */
export function listEntry(container: SimulatedContainer): unknown {
  const { id, name, image, labels, state } = container;
  return {
    Id: id,
    Names: [`/proxy/${name}`, `/${name}`],
    Image: image,
    ImageID: `sha256:${"ab".repeat(32)}`,
    Command: "sh -c work",
    Created: Math.floor(container.startedMs / 1000),
    Ports: [],
    Labels: labels,
    State: state,
    Status: state,
    HostConfig: { NetworkMode: Object.keys(container.networks).length > 0 ? "default" : "host" },
    Mounts: [],
  };
}

/** The answer to `GET /containers/{id}/json`. */
export function inspection(container: SimulatedContainer): unknown {
  const { id, name, image, labels, state, health } = container;
  const time = (ms: number): string => ms === 0 ? GO_ZERO_TIME : new Date(ms).toISOString();
  return {
    Id: id,
    Name: `/${name}`,
    RestartCount: container.restarts,
    State: {
      Status: state,
      Running: isActive(container),
      Paused: state === "paused",
      Restarting: state === "restarting",
      OOMKilled: container.isOomKilled,
      ExitCode: container.exitCode,
      StartedAt: time(container.startedMs),
      FinishedAt: time(container.finishedMs),
      ...(health ? { Health: { Status: health, FailingStreak: 0, Log: [] } } : {}),
    },
    Image: `sha256:${"ab".repeat(32)}`,
    HostConfig: {
      NanoCpus: container.cpuLimit * 1e9,
      CpuQuota: 0,
      CpuPeriod: 0,
      MemoryReservation: container.memoryReservationBytes,
      PidsLimit: container.pidsLimit || null,
    },
    Config: { Image: image, Labels: labels },
  };
}

/** What the answers depend on. */
export interface SimulatedHost {
  readonly cgroup: 1 | 2;
  readonly engine: "docker" | "podman";
}

/** The answer to `GET /containers/{id}/stats?one-shot=true` at a moment. */
export function statistics(container: SimulatedContainer, nowMs: number, host: SimulatedHost): unknown {
  const { id, name } = container;
  if (!isActive(container)) {
    return { read: GO_ZERO_TIME, cpu_stats: {}, memory_stats: {}, pids_stats: {}, name: `/${name}`, id };
  }
  const seconds = (nowMs - container.startedMs) / 1000;
  const networks = Object.entries(container.networks).map(([key, network]) => [key, {
    ...direction("rx", network.receiveBytesPerSecond, seconds),
    ...direction("tx", network.transmitBytesPerSecond, seconds),
  }]);
  return {
    read: new Date(nowMs).toISOString(),
    preread: GO_ZERO_TIME,
    pids_stats: { current: container.pids },
    blkio_stats: { io_service_bytes_recursive: blockEntries(container, seconds, host.cgroup) },
    cpu_stats: processor(container, seconds, host),
    memory_stats: memory(container, host),
    name: `/${name}`,
    id,
    ...(networks.length > 0 ? { networks: Object.fromEntries(networks) } : {}),
  };
}

function processor(container: SimulatedContainer, seconds: number, { engine }: SimulatedHost): unknown {
  const { cores, unrest, id } = container;
  const turn = 2 * Math.PI / PERIOD_SECONDS;
  const phase = Number.parseInt(id.slice(6, 12), 16);
  // The integral of a load that swings around its mean.
  const usedSeconds = cores * (seconds + unrest / turn * Math.sin(turn * seconds + phase));
  const used = Math.max(0, Math.round(usedSeconds * 1e9));
  const isThrottled = container.cpuLimit > 0 && engine === "docker";
  return {
    cpu_usage: {
      total_usage: used,
      usage_in_usermode: Math.floor(used * 0.9 / 1e7) * 1e7,
      usage_in_kernelmode: Math.floor(used * 0.1 / 1e7) * 1e7,
    },
    system_cpu_usage: Math.round(seconds * 4e9),
    online_cpus: 4,
    throttling_data: {
      periods: isThrottled ? Math.floor(seconds * 10) : 0,
      throttled_periods: isThrottled ? Math.floor(seconds * 2) : 0,
      throttled_time: isThrottled ? Math.round(used / 8) : 0,
    },
  };
}

function memory(container: SimulatedContainer, { cgroup, engine }: SimulatedHost): unknown {
  const { memoryBytes, cacheBytes, memoryLimitBytes, memoryFailures } = container;
  if (engine === "podman") return { usage: memoryBytes, limit: memoryLimitBytes };
  const [anonymous, inactive] = [memoryBytes - cacheBytes, cacheBytes / 2];
  return {
    usage: memoryBytes,
    limit: memoryLimitBytes,
    ...memoryFailures > 0 ? { failcnt: memoryFailures } : {},
    stats: cgroup === 1
      ? {
        cache: cacheBytes,
        inactive_file: 0,
        total_cache: cacheBytes,
        total_inactive_file: inactive,
        total_rss: anonymous,
        total_swap: 0,
      }
      : { anon: anonymous, file: cacheBytes, inactive_file: inactive },
  };
}

function direction(prefix: "rx" | "tx", bytesPerSecond: number, seconds: number): Record<string, number> {
  const bytes = Math.floor(bytesPerSecond * seconds);
  return {
    [`${prefix}_bytes`]: bytes,
    [`${prefix}_packets`]: Math.ceil(bytes / 1500),
    [`${prefix}_errors`]: 0,
    [`${prefix}_dropped`]: 0,
  };
}

/** Two devices; cgroup v2 has no list before the first transfer. */
function blockEntries(container: SimulatedContainer, seconds: number, cgroup: 1 | 2): unknown {
  const bytes = {
    read: Math.floor(container.readBytesPerSecond * seconds),
    write: Math.floor(container.writeBytesPerSecond * seconds),
  };
  if (bytes.read + bytes.write === 0) return cgroup === 1 ? [] : null;
  const operations = cgroup === 1 ? { Read: bytes.read, Write: bytes.write } : bytes;
  return [8, 259].flatMap((major) =>
    Object.entries(operations).map(([op, value]) => ({ major, minor: 0, op, value: Math.floor(value / 2) }))
  );
}
