/**
 * The Docker Engine API as far as this exporter reads it, through dockerode: only GET requests, each with a
 * deadline, in the newest version that the engine and this code both speak.
 *
 * Needs read, write and net permission for the engine's socket.
 * https://docs.docker.com/reference/api/engine/
 *
 * @module
 */
import { type DockerHost, hostPermissionFlags, type TlsFiles } from "./docker_host.ts";
import { DockerApiError, toDockerApiError } from "./docker_api_error.ts";
import { type Engine, parseEngine } from "./engine.ts";
import { DurationHistogram } from "./duration_histogram.ts";
import { EngineConnection, PendingCall } from "./dockerode.ts";
import type Docker from "./dockerode.d.ts";
import type { CallOptions, ResponseStream } from "./dockerode.d.ts";

/** The requests that are made, by the name they have in the metrics. */
export type Endpoint = "version" | "list" | "inspect" | "stats" | "events";

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
  readonly #connection: EngineConnection;
  readonly #inFlight = new Set<PendingCall>();
  #docker: Docker;
  #apiVersion: string | undefined;
  #negotiating: Promise<Engine> | undefined;

  constructor({ host, tls, timeoutMs, concurrency }: DockerApiOptions) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
    this.#connection = new EngineConnection(host, tls, concurrency);
    this.#docker = this.#connection.open();
  }

  /**
   * Asks the engine what it is, and speaks to it accordingly from then on; who asks meanwhile shares the answer.
   *
   * @throws {DockerApiError}
   */
  negotiate(): Promise<Engine> {
    return this.#negotiating ??= this.#negotiate().finally(() => this.#negotiating = undefined);
  }

  async #negotiate(): Promise<Engine> {
    // Without a version in the path, every engine understands this request.
    const unversioned = this.#connection.open();
    const body = await this.#ask("version", (options) => unversioned.version(options));
    const engine = parseEngine(asObject(body, "version"));
    if (engine.apiVersion !== this.#apiVersion) {
      this.#docker = this.#connection.open(engine.apiVersion);
      this.#apiVersion = engine.apiVersion;
    }
    return engine;
  }

  /** Lists all containers, stopped ones too. @throws {DockerApiError} */
  async list(): Promise<readonly unknown[]> {
    const body = await this.#ask("list", (options) => this.#docker.listContainers({ ...options, all: true }));
    if (!Array.isArray(body)) throw invalid("list", body);
    return body;
  }

  /** Reads all about a container. @throws {DockerApiError} whose reason is `gone` if it does not exist */
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

  /** How far the engine's clock is ahead of this machine's, in milliseconds, by its last answer; 0 if hardly. */
  get clockOffsetMs(): number {
    return this.#connection.clockOffsetMs;
  }

  /** Ends all requests. */
  close(): void {
    for (const pending of this.#inFlight) pending.abandon(new Error("The exporter stops"));
    this.#connection.close();
  }

  async #ask(endpoint: Endpoint, call: (options: CallOptions) => Promise<unknown>): Promise<unknown> {
    const startedMs = performance.now();
    const pending = new PendingCall();
    const timer = setTimeout(
      () => pending.abandon(new DOMException("Timed out", "TimeoutError")),
      this.#timeoutMs,
    );
    this.#inFlight.add(pending);
    try {
      return await call({ abortSignal: pending });
    } catch (error) {
      throw this.explain(error);
    } finally {
      clearTimeout(timer);
      this.#inFlight.delete(pending);
      this.durations.observe(endpoint, (performance.now() - startedMs) / 1000);
    }
  }
}

function asObject(body: unknown, endpoint: Endpoint): Readonly<Record<string, unknown>> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid(endpoint, body);
  }
  return body as Record<string, unknown>;
}

function invalid(endpoint: Endpoint, body: unknown): DockerApiError {
  const shown = typeof body === "string" ? body : JSON.stringify(body) ?? "nothing";
  return new DockerApiError(
    "invalid",
    `Cannot understand the answer to "${endpoint}": expected an answer of the Docker Engine API, got ${
      JSON.stringify(shown.slice(0, 60))
    }. Check that "--docker-host" names an engine and not another service`,
  );
}
