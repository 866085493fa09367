/**
 * Follows the engine's events about containers. A connection that ends is reopened, with growing pauses, and
 * resumes at the last event: none is lost as long as the engine still has it (Docker keeps the last 256), none is
 * reported twice.
 *
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemEvents
 *
 * @module
 */
import type { DockerApi } from "./docker_api.ts";
import { DockerApiError } from "./docker_api_error.ts";
import type { Engine } from "./engine.ts";
import type { ResponseStream } from "./dockerode.d.ts";
import { childOf, objectOf, textOf } from "./json.ts";
import { pause } from "./pause.ts";

/** What happened to a container. */
export interface ContainerEvent {
  /** The whole identifier. */
  readonly id: string;
  readonly name: string;
  /** What happened: one of {@linkcode FOLLOWED_ACTIONS}. */
  readonly action: string;
  /** With a `die`: the exit code. */
  readonly exitCode: string | undefined;
}

/** The events that are counted: not the starts of health check commands, of which there are thousands. */
export const FOLLOWED_ACTIONS: readonly string[] = [
  "create",
  "destroy",
  "die",
  "health_status",
  "kill",
  "oom",
  "pause",
  "rename",
  "restart",
  "start",
  "stop",
  "unpause",
  "update",
];

/** Actions in Podman's words; 4.3 filters by these, though it sends the second as `die`. */
const PODMAN_ACTIONS: ReadonlyMap<string, string> = new Map([["remove", "destroy"], ["died", "die"]]);
/**
 * Pause before the first attempt to connect again, in milliseconds; each further one is twice as long, until
 * a connection has lasted longer than the longest.
 */
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 15_000;
/**
 * How far before the last event to resume, in nanoseconds: two events that happen at once may be sent in the
 * wrong order.
 */
const OVERLAP_NS = 1_000_000_000n;
/** Events remembered to recognise repeated ones: four times what Docker can repeat. */
const REMEMBERED_EVENTS = 1024;
/** Longest line that can be an event; an event holds all labels of its container. */
const MAX_LINE_BYTES = 1024 * 1024;

/** Options of {@linkcode EventStream}. */
export interface EventStreamOptions {
  readonly api: DockerApi;
  /** Takes each event, once. */
  readonly onEvent: (event: ContainerEvent) => void;
  /** Called when a connection is made: what the engine has forgotten by then was missed. */
  readonly onConnect: (engine: Engine) => void;
  /** @default {Date.now} */
  readonly wallClockMs?: () => number;
}

/** A connection to the engine's events that is kept up. */
export class EventStream {
  readonly #api: DockerApi;
  readonly #onEvent: (event: ContainerEvent) => void;
  readonly #onConnect: (engine: Engine) => void;
  readonly #seen = new Set<string>();
  readonly #startMs: number;
  /** When this exporter started, by the engine's clock. */
  #startNs: bigint | undefined;
  #lastNs: bigint | undefined;
  #stream: ResponseStream | undefined;
  #problem: DockerApiError | undefined;
  #reconnects = 0;

  constructor({ api, onEvent, onConnect, wallClockMs = Date.now }: EventStreamOptions) {
    this.#api = api;
    this.#onEvent = onEvent;
    this.#onConnect = onConnect;
    this.#startMs = wallClockMs();
  }

  /** Whether events come in now. */
  get isConnected(): boolean {
    return this.#stream !== undefined;
  }

  /** Why not, since the last attempt. */
  get problem(): DockerApiError | undefined {
    return this.#problem;
  }

  /** How often a connection was lost. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Follows the events until the signal fires. */
  async follow(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.reconnect();
    signal.addEventListener("abort", stop);
    let backoffMs = BACKOFF_MIN_MS;
    while (!signal.aborted) {
      const startedMs = performance.now();
      try {
        const engine = await this.#api.negotiate();
        this.#startNs ??= BigInt(this.#startMs + this.#api.clockOffsetMs) * 1_000_000n;
        const stream = await this.#api.events(this.#since(this.#startNs), [
          ...FOLLOWED_ACTIONS,
          ...PODMAN_ACTIONS.keys(),
        ]);
        this.#stream = stream;
        this.#problem = undefined;
        this.#onConnect(engine);
        for await (const line of readLines(stream)) this.#take(line);
        this.#problem = new DockerApiError("connection", "The engine closed its event stream");
      } catch (error) {
        this.#problem = this.#api.explain(error);
      }
      if (this.#stream) this.#reconnects++;
      this.#stream?.destroy();
      this.#stream = undefined;
      if (performance.now() - startedMs > BACKOFF_MAX_MS) backoffMs = BACKOFF_MIN_MS;
      await pause(backoffMs, signal);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    }
    signal.removeEventListener("abort", stop);
  }

  /** Closes the connection, which is then reopened: for an engine that no longer answers other requests. */
  reconnect(): void {
    this.#stream?.destroy();
  }

  /** Where to resume, as a Unix time in seconds: shortly before the last event, never before the start. */
  #since(startNs: bigint): string {
    const resumeNs = (this.#lastNs ?? 0n) - OVERLAP_NS;
    const text = String(resumeNs > startNs ? resumeNs : startNs);
    return `${text.slice(0, -9)}.${text.slice(-9)}`;
  }

  #take(line: string): void {
    const event = parseEvent(line);
    if (!event) return;
    const key = `${event.timeNs} ${event.id} ${event.action}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    if (this.#seen.size > REMEMBERED_EVENTS) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    if (event.timeNs > (this.#lastNs ?? 0n)) this.#lastNs = event.timeNs;
    this.#onEvent(event);
  }
}

/** Splits a stream into its lines. @throws {DockerApiError} when a line is longer than any event */
async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > MAX_LINE_BYTES) {
      throw new DockerApiError("invalid", "Cannot read the engine's events: a line is longer than 1 MiB");
    }
  }
}

/** Reads an event, with its time in nanoseconds; undefined when the line is none. */
export function parseEvent(line: string): ContainerEvent & { readonly timeNs: bigint } | undefined {
  let body: unknown;
  try {
    body = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  // As a number it would lose its last three digits.
  const timeNano = /"timeNano":\s*(\d{10,20})\b/.exec(line)?.[1];
  const actor = childOf(body, "Actor");
  const attributes = childOf(actor, "Attributes");
  const id = textOf(actor?.["ID"]);
  // "health_status: healthy"
  const action = textOf(objectOf(body)?.["Action"])?.split(":")[0];
  if (timeNano === undefined || id === undefined || !action) return undefined;
  return {
    id,
    name: textOf(attributes?.["name"]) ?? id.slice(0, 12),
    action: PODMAN_ACTIONS.get(action) ?? action,
    exitCode: textOf(attributes?.["exitCode"]),
    timeNs: BigInt(timeNano),
  };
}
