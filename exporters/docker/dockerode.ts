/**
 * dockerode, tamed. It gives the paths, queries and versions of the API; the request itself is made here, in place of
 * docker-modem's `buildRequest` (5.0.7), which
 *
 * - follows redirects to any host, and leaves the second request without an error listener: a proxy that redirects to
 *   https would end the process (lib/http.js);
 * - holds an answer of any size in memory, parses JSON of any depth, and never settles when an answer breaks off;
 * - formats the options of every request in full depth, the agent with all its connections among them, for a debug
 *   line that nobody sees: up to 10 s of CPU time for 100 requests at once;
 * - wants an AbortSignal, on which it and node:http put a dozen listeners a request: a tenth of the cost of a call.
 *
 * leave_out.ts keeps most of its 65 packages from being loaded.
 *
 * @module
 */
import "./leave_out.ts";
import http from "node:http";
import https from "node:https";
import type { ClientRequest, IncomingMessage } from "node:http";
// @ts-types="./dockerode.d.ts"
import Docker from "dockerode";
import { DockerApiError } from "./docker_api_error.ts";
import type { DockerHost, TlsFiles } from "./docker_host.ts";
import type { DockerOptions, RequestOptions } from "./dockerode.d.ts";

/** Most that all answers under way may hold together, in bytes: a list of 4,000 containers. */
const MAX_ANSWER_BYTES = 16 * 1024 ** 2;
/** Deepest nesting of an answer; the API's own go down ten levels. */
const MAX_DEPTH = 64;
/** In an answer smaller than this, no nesting can take much memory. */
const DEPTH_CHECK_BYTES = 64 * 1024;
const QUOTE = codeOf('"');
const BACKSLASH = codeOf("\\");
const OPENING = new Set([..."[{"].map(codeOf));
const CLOSING = new Set([..."]}"].map(codeOf));

/** An answer other than 200. */
export class StatusError extends Error {
  override readonly name = "StatusError";

  /** `message` is the answer's own. */
  constructor(readonly statusCode: number, message: string) {
    super(message);
  }
}

/** A request that can be abandoned. Goes where dockerode takes an AbortSignal. */
export class PendingCall {
  /** Why it was abandoned. */
  reason: Error | undefined;
  /** Called when it is abandoned under way. */
  onAbandon: ((reason: Error) => void) | undefined;

  /** Ends the request, or keeps it from being sent. */
  abandon(reason: Error): void {
    this.reason = reason;
    this.onAbandon?.(reason);
  }
}

/** Takes what a call brought: an error, or the parsed answer, or the stream of one. */
type Settle = (error: Error | null, answer?: unknown) => void;

/** The connections to one engine. */
export class EngineConnection {
  readonly #options: DockerOptions;
  readonly #agent: http.Agent;
  #bytesUnderWay = 0;
  #clockOffsetMs = 0;

  /** Requests at once, at most; the stream of events has one connection more. */
  constructor(host: DockerHost, tls: TlsFiles | undefined, concurrency: number) {
    const isSecure = !("socketPath" in host) && (host.tls || tls !== undefined);
    const settings = { keepAlive: true, maxSockets: concurrency + 1 };
    this.#agent = isSecure ? new https.Agent(settings) : new http.Agent(settings);
    resendNothing(this.#agent);
    this.#options = "socketPath" in host ? { socketPath: host.socketPath, agent: this.#agent } : {
      host: host.hostname,
      port: host.port,
      protocol: isSecure ? "https" : "http",
      agent: this.#agent,
      ...tls,
    };
  }

  /** The library for a version of the API: `1.41`; without one, for requests that every engine understands. */
  open(version?: string): Docker {
    const docker = new Docker({ ...this.#options, ...version ? { version: `v${version}` } : {} });
    docker.modem.buildRequest = (options, { isStream }, _data, settle) =>
      this.#send(options, isStream === true, settle);
    return docker;
  }

  /** How far the engine's clock is ahead, in milliseconds, by its last answer; 0 if hardly. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  /** Ends all connections. */
  close(): void {
    this.#agent.destroy();
  }

  #send({ signal: call, ...options }: RequestOptions, isStream: boolean, settle: Settle): void {
    if (call?.reason) return settle(call.reason);
    let isSettled = false;
    const finish: Settle = (error, answer) => {
      if (isSettled) return;
      isSettled = true;
      if (error) request.destroy();
      settle(error, answer);
    };
    let request: ClientRequest;
    try {
      request = (this.#options.protocol === "https" ? https : http).request(options);
    } catch (error) {
      // A permission that Deno was not given.
      return settle(error instanceof Error ? error : new Error(String(error)));
    }
    request.on("response", (response) => {
      this.#clockOffsetMs = clockOffset(response.headers.date, sentMs);
      if (isStream && response.statusCode === 200) finish(null, response);
      else this.#collect(response, finish);
    });
    request.on("error", finish);
    if (call) call.onAbandon = finish;
    const sentMs = Date.now();
    request.end();
  }

  #collect(response: IncomingMessage, finish: Settle): void {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    response.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk);
      bytes += chunk.length;
      this.#bytesUnderWay += chunk.length;
      if (this.#bytesUnderWay > MAX_ANSWER_BYTES) finish(unreadable("answers larger than 16 MiB"));
    });
    response.on("end", () => finish(...readAnswer(response, Buffer.concat(chunks))));
    const breakOff = (): void => finish(unreadable("an answer that breaks off in the middle"));
    response.on("error", breakOff);
    response.on("close", () => {
      this.#bytesUnderWay -= bytes;
      breakOff();
    });
  }
}

/**
 * Works around a fault of Deno's node:http (2.9.6): a request that was abandoned on a reused connection is sent once
 * more, on a connection that then stays open. The test "ends what it gives up" in tests/docker/dockerode_test.ts fails without this.
 */
function resendNothing(
  agent: http.Agent & { reuseSocket?(socket: unknown, request: ClientRequest): void },
): void {
  const { reuseSocket } = agent;
  agent.reuseSocket = (socket, request) => {
    reuseSocket?.call(agent, socket, request);
    request.reusedSocket = false;
  };
}

/**
 * From the header `Date`, which is in whole seconds, of an answer to a request sent at `sentMs`: 0 unless the two
 * clocks cannot agree.
 */
function clockOffset(date: string | undefined, sentMs: number): number {
  const leastMs = Date.parse(date ?? "") - Date.now();
  const mostMs = Date.parse(date ?? "") + 1000 - sentMs;
  return leastMs > 0 || mostMs < 0 ? leastMs : 0;
}

function readAnswer({ statusCode = 0, headers }: IncomingMessage, body: Uint8Array): [Error | null, unknown] {
  if (body.length > DEPTH_CHECK_BYTES && depthOf(body) > MAX_DEPTH) {
    return [unreadable(`an answer nested more than ${MAX_DEPTH} levels deep`), undefined];
  }
  const text = new TextDecoder().decode(body);
  if (statusCode >= 300 && statusCode < 400) {
    return [
      new StatusError(statusCode, `a redirect to "${withoutSecrets(headers.location ?? "nowhere")}"`),
      undefined,
    ];
  }
  const answer = parseJson(text);
  if (statusCode === 200) return [null, answer ?? text];
  const { message } = Object(answer) as { message?: unknown };
  return [new StatusError(statusCode, typeof message === "string" ? message : text), undefined];
}

/** An address without user, password, query and fragment. */
function withoutSecrets(location: string): string {
  return location.replace(/[?#].*/s, "").replace(/^(\w*:?\/\/)[^/]*@/, "$1");
}

/** The value of a JSON text; undefined when it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** How deep the arrays and objects of a JSON text are nested; brackets within strings are not counted. */
function depthOf(json: Uint8Array): number {
  let [depth, deepest] = [0, 0];
  let [isText, isEscaped] = [false, false];
  for (const byte of json) {
    if (isEscaped) isEscaped = false;
    else if (byte === BACKSLASH) isEscaped = true;
    else if (byte === QUOTE) isText = !isText;
    else if (isText) continue;
    else if (OPENING.has(byte)) deepest = Math.max(deepest, ++depth);
    else if (CLOSING.has(byte)) depth--;
  }
  return deepest;
}

function unreadable(what: string): DockerApiError {
  return new DockerApiError(
    "invalid",
    `Cannot read the Docker Engine: it sends ${what}. See "journalctl -u docker", and check that "--docker-host" names ` +
      "an engine and not another service",
  );
}

function codeOf(character: string): number {
  return character.charCodeAt(0);
}
