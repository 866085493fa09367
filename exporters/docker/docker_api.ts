/**
 * The Docker Engine API as far as this exporter reads it, through dockerode: only GET requests, each with a
 * deadline, in the newest version that the engine and this code both speak.
 *
 * Needs read, write and net permission for the engine's socket.
 * https://docs.docker.com/reference/api/engine/
 *
 * @module
 */
import "./leave_out.ts";
import { Agent as HttpAgent, type ClientRequest } from "node:http";
import { Agent as HttpsAgent } from "node:https";
// @ts-types="./dockerode.d.ts"
import Docker from "dockerode";
import type { CallOptions, DockerOptions, ResponseStream } from "./dockerode.d.ts";
import { type DockerHost, hostPermissionFlags, type TlsFiles } from "./docker_host.ts";
import { DockerApiError, toDockerApiError } from "./docker_api_error.ts";
import { DurationHistogram } from "./duration_histogram.ts";
import { PendingCall } from "./pending_call.ts";

/** Oldest version of the API with one-shot statistics: Docker 20.10. */
const MIN_API_VERSION = "1.41";
/** Newest version this code was written against: Docker 29. An engine that offers more is asked for this. */
const MAX_API_VERSION = "1.52";

/** What the engine says of itself. */
export interface Engine {
  /** Version of the program: `20.10.24`. */
  readonly version: string;
  /** Version of the API that it is spoken to in: `1.41`. */
  readonly apiVersion: string;
  readonly os: string;
  readonly arch: string;
  readonly kernel: string;
}

/** The requests that are made, by the name they have in the metrics. */
export type Endpoint = "version" | "list" | "inspect" | "stats" | "events";

/** How an object is written by `util.inspect`: https://nodejs.org/api/util.html#utilinspectcustom */
const INSPECT_CUSTOM = Symbol.for("nodejs.util.inspect.custom");

/** An agent with the method through which it gets each request and its options. */
type Agent = HttpAgent & {
  addRequest(request: ClientRequest, options: { readonly pending?: PendingCall }): void;
};

/** Options of {@linkcode DockerApi}. */
export interface DockerApiOptions {
  readonly host: DockerHost;
  readonly tls?: TlsFiles | undefined;
  /** Longest that a request may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Requests at once, at most. */
  readonly concurrency: number;
}

/** A connection to an engine. */
export class DockerApi {
  /** How long requests took, by endpoint. */
  readonly durations: DurationHistogram<Endpoint> = new DurationHistogram();
  readonly #host: DockerHost;
  readonly #timeoutMs: number;
  readonly #connection: DockerOptions;
  readonly #inFlight = new Set<PendingCall>();
  #docker: Docker;
  #apiVersion: string | undefined;

  constructor({ host, tls, timeoutMs, concurrency }: DockerApiOptions) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
    this.#connection = connectionOptions(host, tls, concurrency);
    this.#docker = connect(this.#connection);
  }

  /**
   * Asks the engine what it is, and speaks to it accordingly from then on.
   *
   * @throws {DockerApiError}
   */
  async negotiate(): Promise<Engine> {
    // Without a version in the path, every engine understands this request.
    const unversioned = connect(this.#connection);
    const body = await this.#ask("version", (options) => unversioned.version(options));
    const { Version, ApiVersion, MinAPIVersion, Os, Arch, KernelVersion } = asObject(body, "version");
    const apiVersion = chooseApiVersion(text(ApiVersion), text(MinAPIVersion));
    if (apiVersion !== this.#apiVersion) {
      this.#docker = connect({ ...this.#connection, version: `v${apiVersion}` });
      this.#apiVersion = apiVersion;
    }
    return {
      version: text(Version),
      apiVersion,
      os: text(Os),
      arch: text(Arch),
      kernel: text(KernelVersion),
    };
  }

  /** Lists all containers, stopped ones too. @throws {DockerApiError} */
  async list(): Promise<readonly unknown[]> {
    const body = await this.#ask("list", (options) => this.#docker.listContainers({ ...options, all: true }));
    if (!Array.isArray(body)) throw invalid("list", body);
    return body;
  }

  /** Tells all about a container. @throws {DockerApiError} whose reason is `gone` if it does not exist */
  async inspect(id: string): Promise<Readonly<Record<string, unknown>>> {
    return asObject(
      await this.#ask("inspect", (options) => this.#docker.getContainer(id).inspect(options)),
      "inspect",
    );
  }

  /** Reads a container's statistics once. @throws {DockerApiError} whose reason is `gone` if it does not exist */
  async stats(id: string): Promise<Readonly<Record<string, unknown>>> {
    return asObject(
      await this.#ask(
        "stats",
        (options) => this.#docker.getContainer(id).stats({ ...options, stream: false, "one-shot": true }),
      ),
      "stats",
    );
  }

  /**
   * Opens the stream of events about containers. `since` is a Unix time in seconds with nine decimals.
   *
   * @throws {DockerApiError} when it cannot be opened
   */
  async events(since: string, actions: readonly string[]): Promise<ResponseStream> {
    const filters = { type: ["container"], event: actions };
    const stream = await this.#ask(
      "events",
      (options) => this.#docker.getEvents({ ...options, since, filters }),
    );
    return stream as ResponseStream;
  }

  /** Puts an error in the exporter's terms. */
  explain(error: unknown): DockerApiError {
    return toDockerApiError(error, {
      host: this.#host.name,
      flags: hostPermissionFlags(this.#host),
      timeoutMs: this.#timeoutMs,
    });
  }

  /** Ends all requests. */
  close(): void {
    for (const pending of this.#inFlight) pending.giveUp(new Error("The exporter stops"));
    this.#connection.agent?.destroy();
  }

  async #ask(endpoint: Endpoint, call: (options: CallOptions) => Promise<unknown>): Promise<unknown> {
    const startedMs = performance.now();
    const pending = new PendingCall();
    const timer = setTimeout(
      () => pending.giveUp(new DOMException("Timed out", "TimeoutError")),
      this.#timeoutMs,
    );
    this.#inFlight.add(pending);
    try {
      return await Promise.race([call({ abortSignal: pending }), pending.givenUp]);
    } catch (error) {
      throw this.explain(error);
    } finally {
      clearTimeout(timer);
      this.#inFlight.delete(pending);
      this.durations.observe(endpoint, (performance.now() - startedMs) / 1000);
    }
  }
}

function connectionOptions(host: DockerHost, tls: TlsFiles | undefined, concurrency: number): DockerOptions {
  const secure = !("socketPath" in host) && (host.tls || tls !== undefined);
  // One connection more for the events.
  const settings = { keepAlive: true, maxSockets: concurrency + 1 };
  const agent = (secure ? new HttpsAgent(settings) : new HttpAgent(settings)) as Agent;
  const { addRequest, reuseSocket } = agent;
  agent.addRequest = (request, { pending, ...options }) => {
    pending?.attach(request);
    addRequest.call(agent, request, options);
  };
  agent.reuseSocket = (socket, request) => {
    reuseSocket.call(agent, socket, request);
    // Or Deno 2.9 sends a request that was given up once more, on a connection that then stays open.
    request.reusedSocket = false;
  };
  if ("socketPath" in host) return { socketPath: host.socketPath, agent };
  return { host: host.hostname, port: host.port, protocol: secure ? "https" : "http", agent, ...tls };
}

/**
 * Opens the library. It formats every request's options in full depth, the agent with all its connections
 * among them, for a debug line that nobody sees: for 100 requests at once that takes up to 10 s of CPU time.
 */
function connect(options: DockerOptions): Docker {
  const docker = new Docker(options);
  const { modem } = docker;
  const { buildRequest } = modem;
  modem.buildRequest = (request, ...rest) => {
    const { signal: pending, ...options } = request;
    const own = { ...options, pending };
    Object.defineProperty(own, INSPECT_CUSTOM, { value: () => "request" });
    buildRequest.call(modem, own, ...rest);
  };
  return docker;
}

/** The newest version that both sides speak. @throws {DockerApiError} when there is none */
function chooseApiVersion(offered: string, least: string): string {
  if (!/^\d+\.\d+$/.test(offered)) throw invalid("version", offered);
  if (compareVersions(offered, MIN_API_VERSION) < 0) {
    throw new DockerApiError(
      "version",
      `Cannot use this engine as it speaks API ${offered}: it must be ${MIN_API_VERSION} (Docker 20.10) or newer`,
    );
  }
  const newest = compareVersions(offered, MAX_API_VERSION) < 0 ? offered : MAX_API_VERSION;
  // An engine that no longer speaks what this code knows: its oldest version is the nearest.
  return /^\d+\.\d+$/.test(least) && compareVersions(newest, least) < 0 ? least : newest;
}

/** Negative when `left` is the older version of the API. */
export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split(".").map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split(".").map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

function asObject(body: unknown, endpoint: Endpoint): Readonly<Record<string, unknown>> {
  // What is not JSON the library hands over as bytes.
  if (typeof body !== "object" || body === null || Array.isArray(body) || ArrayBuffer.isView(body)) {
    throw invalid(endpoint, body);
  }
  return body as Record<string, unknown>;
}

function invalid(endpoint: Endpoint, body: unknown): DockerApiError {
  const shown = ArrayBuffer.isView(body) ? new TextDecoder().decode(body) : JSON.stringify(body) ?? "nothing";
  return new DockerApiError(
    "invalid",
    `Cannot understand the answer to "${endpoint}": want what the Docker Engine API says, got ${
      JSON.stringify(shown.slice(0, 60))
    }. Check that "--docker-host" names an engine and not another service`,
  );
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
