/**
 * What a container is and in what state: from the engine's list and from its answer to an inspection.
 *
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container
 *
 * @module
 */
import { amountOf, childOf, type JsonObject, objectOf, textOf, timeMsOf } from "./json.ts";

/** The states a container can be in. */
export const CONTAINER_STATES = [
  "created",
  "dead",
  "exited",
  "paused",
  "removing",
  "restarting",
  "running",
] as const;

/** The results of a health check. */
export const HEALTH_STATUSES = ["healthy", "starting", "unhealthy"] as const;

/** A container as the list shows it. */
export interface ListedContainer {
  /** The whole identifier, 64 hexadecimal digits. */
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly image: string;
  /** One of {@linkcode CONTAINER_STATES}, or what a newer engine calls it. */
  readonly state: string;
  readonly labels: JsonObject;
}

/** What only an inspection reports. */
export interface ContainerDetails {
  readonly state: string;
  /** One of {@linkcode HEALTH_STATUSES}; undefined without a health check, and while none is made. */
  readonly health: string | undefined;
  /** Of the last run, once that is over. */
  readonly exitCode: number | undefined;
  /** Whether the engine noted that the kernel killed one of its processes to free memory. */
  readonly isOomKilled: boolean | undefined;
  readonly limits: ContainerLimits;
  /** How often the restart policy has started it again. */
  readonly restarts: number | undefined;
  /** When the last run began, in milliseconds. */
  readonly startedMs: number | undefined;
  /** When the last run ended, if it has, in milliseconds. */
  readonly finishedMs: number | undefined;
}

/** Limits as configured; undefined where there is none. */
export interface ContainerLimits {
  /** 1 is one core, all the time. */
  readonly cpuRatio: number | undefined;
  readonly memoryReservationBytes: number | undefined;
  readonly pids: number | undefined;
}

/** The kernel's own period of a CPU quota, in microseconds, where none is configured. */
const DEFAULT_CPU_PERIOD = 100_000;

/** Reads an entry of the list; undefined when it is not a container. */
export function parseListed(entry: unknown): ListedContainer | undefined {
  const fields = objectOf(entry);
  const id = textOf(fields?.["Id"]);
  if (!fields || id === undefined) return undefined;
  return {
    id,
    name: nameOf(fields["Names"]) ?? shortId(id),
    image: textOf(fields["Image"]) ?? "",
    state: textOf(fields["State"])?.toLowerCase() ?? "unknown",
    labels: objectOf(fields["Labels"]) ?? {},
  };
}

/** Its own name is the one without a further slash, the others are links: `/web`, `/proxy/backend`. */
function nameOf(names: unknown): string | undefined {
  if (!Array.isArray(names)) return undefined;
  const texts = names.filter((name) => typeof name === "string").map((name) => name.replace(/^\//, ""));
  return texts.find((name) => !name.includes("/")) || texts[0] || undefined;
}

/** The first 12 digits, as docker shows them. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** Reads the answer to an inspection. */
export function parseDetails(body: JsonObject): ContainerDetails {
  const state = childOf(body, "State");
  const status = textOf(state?.["Status"])?.toLowerCase() ?? "unknown";
  const isRunning = status === "running" || status === "paused";
  const startedMs = timeMsOf(state?.["StartedAt"]);
  const health = textOf(childOf(state, "Health")?.["Status"]);
  const isOomKilled = state?.["OOMKilled"];
  return {
    state: status,
    // When the checks end, Docker reports "unhealthy" (28.5) and Podman the last result (5.8).
    health: health === "none" || status !== "running" ? undefined : health,
    isOomKilled: typeof isOomKilled === "boolean" ? isOomKilled : undefined,
    limits: parseLimits(childOf(body, "HostConfig")),
    exitCode: isRunning ? undefined : exitCodeOf(state?.["ExitCode"], startedMs),
    restarts: amountOf(body["RestartCount"]),
    startedMs,
    finishedMs: isRunning ? undefined : timeMsOf(state?.["FinishedAt"]),
  };
}

/** 0 means no limit; so does -1 for the number of processes. */
function parseLimits(config: JsonObject | undefined): ContainerLimits {
  const limit = (key: string): number | undefined => amountOf(config?.[key]) || undefined;
  const [nanoCpus, quota] = [limit("NanoCpus"), limit("CpuQuota")];
  return {
    cpuRatio: nanoCpus !== undefined
      ? nanoCpus / 1e9
      : quota !== undefined
      ? quota / (limit("CpuPeriod") ?? DEFAULT_CPU_PERIOD)
      : undefined,
    memoryReservationBytes: limit("MemoryReservation"),
    pids: limit("PidsLimit"),
  };
}

/** Before the first run the engine reports 0, unless that run failed to start. */
function exitCodeOf(value: unknown, startedMs: number | undefined): number | undefined {
  return Number.isInteger(value) && (startedMs !== undefined || value !== 0) ? Number(value) : undefined;
}

/** Whether a container in this state has statistics. */
export function hasStats(state: string): boolean {
  return state === "running" || state === "paused";
}
