/**
 * The part of dockerode that this exporter may use. Each of these calls is a GET request, and the types
 * leave no other to make.
 *
 * @module
 */
import type { Agent } from "node:http";
import type { PendingCall } from "./dockerode.ts";

/** Options of every call. */
export interface CallOptions {
  abortSignal?: PendingCall;
}

/** Options of a request, as the library hands them to node:http. */
export interface RequestOptions {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly agent: Agent;
  /** What was given as `abortSignal`. */
  readonly signal?: PendingCall;
}

/** A response that is read as it comes. */
export interface ResponseStream extends AsyncIterable<Uint8Array> {
  destroy(): void;
}

/** One container of the engine. */
export interface Container {
  /** `GET /containers/{id}/json` */
  inspect(options: CallOptions): Promise<unknown>;
  /** `GET /containers/{id}/stats` */
  stats(options: CallOptions & { stream: false; "one-shot": true }): Promise<unknown>;
}

/** Where the engine is and how it is spoken to. */
export interface DockerOptions {
  socketPath?: string;
  host?: string;
  port?: number;
  protocol?: "http" | "https";
  ca?: string;
  cert?: string;
  key?: string;
  agent?: Agent;
  /** Version of the API, as it stands in the path: `v1.41`. */
  version?: string;
}

/** A connection to the Docker Engine API. */
export default class Docker {
  constructor(options: DockerOptions);
  /** What sends the requests. */
  readonly modem: {
    buildRequest(
      options: RequestOptions,
      call: { readonly isStream?: boolean },
      data: undefined,
      settle: (error: Error | null, answer?: unknown) => void,
    ): void;
  };
  /** `GET /version` */
  version(options: CallOptions): Promise<unknown>;
  /** `GET /containers/json` */
  listContainers(options: CallOptions & { all: true }): Promise<unknown>;
  getContainer(id: string): Container;
  /** `GET /events` */
  getEvents(
    options: CallOptions & { since: string; filters: Record<string, readonly string[]> },
  ): Promise<ResponseStream>;
}
