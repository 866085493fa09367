/**
 * A small HTTP server that answers like the Docker Engine, for demonstrations and for what a real engine will
 * not do on demand: hang, break off, answer nonsense, speak another version of its API.
 *
 * @module
 */
import {
  inspection,
  isActive,
  listEntry,
  type SimulatedContainer,
  statistics,
} from "./simulated_container.ts";

/**
 * How a request can go wrong: no answer, half an answer, one without an end, no JSON, an error 500, a refusal 403, a
 * redirect.
 */
export type Fault = "hang" | "cut" | "endless" | "nonsense" | "error" | "forbidden" | "redirect";

/** Options of {@linkcode SimulatedEngine}. */
export interface SimulatedEngineOptions {
  /** Where to listen. */
  readonly socketPath: string;
  /** @default {1} */
  readonly cgroup?: 1 | 2;
  /** @default {"docker"} */
  readonly engine?: "docker" | "podman";
  /** Newest version of the API that it speaks. @default {"1.41"} */
  readonly apiVersion?: string;
  /** Oldest. @default {"1.24"} */
  readonly minApiVersion?: string;
  /** Its clock. @default {Date.now} */
  readonly nowMs?: () => number;
}

interface EngineEvent {
  readonly timeNs: bigint;
  readonly action: string;
  readonly line: string;
}

interface EventListener {
  readonly isWanted: (event: EngineEvent) => boolean;
  readonly send: (line: string) => void;
  readonly end: () => void;
}

/** The engine repeats this many events at most. */
const EVENT_BUFFER = 256;
const ENCODER = new TextEncoder();

/** A simulated engine; disposing of it ends it. */
export class SimulatedEngine implements AsyncDisposable {
  /** The containers by identifier. */
  readonly containers: Map<string, SimulatedContainer> = new Map();
  /** Every request so far: `GET /v1.41/containers/json?all=true`. */
  readonly requests: string[] = [];
  /** What goes wrong with a request to a path without its version; nothing by default. */
  fault: (path: string) => Fault | undefined = () => undefined;
  /** How long a request to a path takes, in milliseconds. */
  delayMs: (path: string) => number = () => 0;
  readonly #options: Required<SimulatedEngineOptions>;
  readonly #listeners = new Set<EventListener>();
  readonly #events: EngineEvent[] = [];
  #ending = new AbortController();
  #server: Deno.HttpServer | undefined;
  #eventCount = 0n;
  #atOnce = 0;
  #mostAtOnce = 0;

  constructor(options: SimulatedEngineOptions) {
    this.#options = {
      cgroup: 1,
      engine: "docker",
      apiVersion: "1.41",
      minApiVersion: "1.24",
      nowMs: Date.now,
      ...options,
    };
  }

  /** Begins to listen. */
  listen(): void {
    this.#ending = new AbortController();
    this.#server = Deno.serve(
      { path: this.#options.socketPath, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** Stops, as an engine does: connections end, events are forgotten. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.cutEvents();
    this.#events.length = 0;
    await this.#server?.shutdown();
    this.#server = undefined;
    await Deno.remove(this.#options.socketPath).catch(ignoreMissing);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Adds containers. */
  add(...containers: SimulatedContainer[]): void {
    for (const container of containers) this.containers.set(container.id, container);
  }

  /** How many follow the events now. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Ends the event streams; the events stay in the engine's memory. */
  cutEvents(): void {
    for (const listener of this.#listeners) listener.end();
    this.#listeners.clear();
  }

  /** Reports that something happened to a container, in the words of Docker. */
  emit(container: SimulatedContainer, dockerAction: string, attributes: Record<string, string> = {}): void {
    const action = this.#options.engine === "podman" && dockerAction === "destroy" ? "remove" : dockerAction;
    // Never the same time twice, and with digits that a number cannot hold.
    const timeNs = BigInt(this.#options.nowMs()) * 1_000_000n + 101n + this.#eventCount++;
    const body = JSON.stringify({
      status: action,
      id: container.id,
      from: container.image,
      Type: "container",
      Action: action,
      Actor: {
        ID: container.id,
        Attributes: { ...container.labels, ...attributes, image: container.image, name: container.name },
      },
      scope: "local",
      time: Number(timeNs / 1_000_000_000n),
    });
    const event = { timeNs, action, line: `${body.slice(0, -1)},"timeNano":${timeNs}}\n` };
    this.#events.push(event);
    if (this.#events.length > EVENT_BUFFER) this.#events.shift();
    for (const listener of this.#listeners) {
      if (listener.isWanted(event)) listener.send(event.line);
    }
  }

  /** The most requests so far that waited for an answer at the same time. */
  get mostAtOnce(): number {
    return this.#mostAtOnce;
  }

  async #answer(request: Request): Promise<Response> {
    this.#mostAtOnce = Math.max(this.#mostAtOnce, ++this.#atOnce);
    try {
      return await this.#respond(request);
    } finally {
      this.#atOnce--;
    }
  }

  async #respond(request: Request): Promise<Response> {
    const { pathname, search, searchParams } = new URL(request.url);
    this.requests.push(`${request.method} ${pathname}${search}`);
    const [, version, path = ""] = /^(?:\/v([\d.]+))?(\/.*)$/.exec(pathname) ?? [];
    const delayMs = this.delayMs(path);
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const fault = this.fault(path);
    if (fault) return await this.#fail(fault);
    const refusal = this.#checkVersion(version);
    if (refusal) return json({ message: refusal }, 400);
    return this.#route(path, searchParams);
  }

  #route(path: string, query: URLSearchParams): Response {
    if (path === "/version") return json(this.#version());
    if (path === "/events") return this.#follow(query);
    if (path === "/containers/json") return json([...this.containers.values()].reverse().map(listEntry));
    const [, id = "", what] = /^\/containers\/([^/]+)\/(json|stats)$/.exec(path) ?? [];
    const container = this.containers.get(id);
    if (!container) return json({ message: `No such container: ${id}` }, 404);
    if (what === "json") return json(inspection(container));
    if (this.#options.engine === "podman" && !isActive(container)) {
      return json({ cause: "container is stopped", message: "container is stopped", response: 500 }, 500);
    }
    return json(statistics(container, this.#options.nowMs(), this.#options));
  }

  #version(): unknown {
    const { apiVersion, minApiVersion, engine } = this.#options;
    if (engine === "podman") {
      return {
        Components: [{ Name: "Podman Engine", Version: "5.8.6" }],
        Version: "5.8.6",
        ApiVersion: apiVersion,
        MinAPIVersion: "1.24",
        Os: "linux",
        Arch: "amd64",
        KernelVersion: "6.1.0",
      };
    }
    return {
      Components: [{ Name: "Engine" }],
      Version: apiVersion === "1.41" ? "20.10.24" : "simulated",
      ApiVersion: apiVersion,
      MinAPIVersion: minApiVersion,
      Os: "linux",
      Arch: "amd64",
      KernelVersion: "6.1.0",
    };
  }

  #checkVersion(version: string | undefined): string | undefined {
    if (version === undefined) return undefined;
    const { apiVersion, minApiVersion } = this.#options;
    const minor = (text: string): number => Number(text.split(".")[1]);
    if (minor(version) > minor(apiVersion)) {
      return `client version ${version} is too new. Maximum supported API version is ${apiVersion}`;
    }
    if (minor(version) < minor(minApiVersion)) {
      return `client version ${version} is too old. Minimum supported API version is ${minApiVersion}`;
    }
    return undefined;
  }

  async #fail(fault: Fault): Promise<Response> {
    const { signal } = this.#ending;
    switch (fault) {
      case "nonsense":
        return new Response("<html>Welcome to nginx!</html>", { headers: { "content-type": "text/html" } });
      case "error":
        return json({ message: "something went wrong" }, 500);
      case "forbidden":
        return new Response("Forbidden\n", { status: 403 });
      case "redirect":
        return new Response(null, { status: 301, headers: { location: "https://127.0.0.1:1/" } });
      case "endless":
        return new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(1024 ** 2).fill(32)),
          }),
        );
      case "cut":
        return new Response(
          new ReadableStream({
            start(controller): void {
              controller.enqueue(ENCODER.encode('{"Id":"c0ff'));
            },
            pull(controller): void {
              controller.error(new Error("cut"));
            },
          }),
        );
      case "hang":
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return json({ message: "shutting down" }, 503);
    }
  }

  /** Sends past events since a time, then those to come. */
  #follow(query: URLSearchParams): Response {
    const since = toNanoseconds(query.get("since") ?? "");
    const actions: string[] = JSON.parse(query.get("filters") ?? "{}").event ?? [];
    const isWanted = ({ action }: EngineEvent): boolean => actions.includes(action.split(":")[0] ?? "");
    let listener: EventListener | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (line: string): void => controller.enqueue(ENCODER.encode(line));
        listener = { isWanted, send, end: () => controller.close() };
        if (since !== undefined) {
          for (const event of this.#events) {
            if (event.timeNs >= since && isWanted(event)) send(event.line);
          }
        }
        this.#listeners.add(listener);
      },
      cancel: () => {
        if (listener) this.#listeners.delete(listener);
      },
    });
    return new Response(body, { headers: { "content-type": "application/json" } });
  }
}

function json(body: unknown, status = 200): Response {
  return Response.json(body, { status });
}

/** `1795452567.663589824` in nanoseconds. */
function toNanoseconds(text: string): bigint | undefined {
  const [, seconds, fraction = ""] = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  return seconds === undefined ? undefined : BigInt(seconds + fraction.padEnd(9, "0"));
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
