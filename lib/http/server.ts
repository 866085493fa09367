/**
 * The one way in which all exporters listen: HTTP/1.1 on connections that `Deno.listen` accepts. `Deno.serve` can be
 * held to none of the bounds here; docs/deno-faults.md lists what it lacks.
 *
 * A connection that fails to be accepted is the client's affair and costs nothing. Only a lack of descriptors or
 * memory makes the server pause; open connections are served, and it accepts again by itself.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import type { Transport } from "./byte_source.ts";
import { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import type { HttpHandler, HttpResponse } from "./message.ts";

/** First and longest pause after a lack of descriptors or memory, in milliseconds. */
const PAUSE_MS = { first: 50, longest: 1000 };

/** Turns an accepted connection into one with TLS. */
export type Secure = (connection: Transport, client: string) => Promise<Transport>;

/** Options of {@linkcode HttpServer}. */
export interface HttpServerOptions {
  /** Answers where the handler fails. */
  readonly onError: (error: unknown) => HttpResponse;
  /** Sets TLS on top of each connection. @default none */
  readonly secure?: Secure | undefined;
  /** Called with the error when connections cannot be accepted, once for as long as that lasts. */
  readonly onShortage?: (error: unknown) => void;
}

/** What the operator should know of the server. */
export interface ServerState {
  /** Connections that could not be accepted at once, for lack of descriptors or memory. */
  readonly acceptFailures: number;
  /** Idle connections that were closed to make room. */
  readonly evicted: number;
  /** The error of the last lack of descriptors or memory; undefined once that is over. */
  readonly shortage: string | undefined;
  /** Connections make room for others right now. */
  readonly isCrowded: boolean;
}

/** A shortage or a crowd counts as present for this long, in milliseconds. */
const PRESENT_MS = 1500;

/** An HTTP server. */
export class HttpServer {
  readonly #listeners: readonly Deno.TcpListener[];
  readonly #options: HttpServerOptions;
  readonly #connections = new Connections();
  readonly #serving = new Map<Connection, Promise<void>>();
  #accepting: readonly Promise<void>[] = [];
  #isStopping = false;
  #acceptFailures = 0;
  #shortage = "";
  #shortageMs = -Infinity;

  /** Sets it up; nothing runs yet. */
  constructor(listeners: readonly Deno.TcpListener[], options: HttpServerOptions) {
    this.#listeners = listeners;
    this.#options = options;
  }

  /** Begins to accept connections; once. */
  serve(handler: HttpHandler): void {
    this.#accepting = this.#listeners.map((listener) => this.#accept(listener, handler));
  }

  /** The state now. */
  get state(): ServerState {
    const nowMs = performance.now();
    return {
      acceptFailures: this.#acceptFailures,
      evicted: this.#connections.evicted,
      shortage: nowMs - this.#shortageMs < PRESENT_MS ? this.#shortage : undefined,
      isCrowded: nowMs - this.#connections.evictedMs < PRESENT_MS,
    };
  }

  /** Ends each open connection as soon as it has no request in flight: for a new certificate. */
  retireConnections(): void {
    for (const connection of this.#serving.keys()) connection.retire();
  }

  /** Stops accepting, and resolves when the requests in flight are answered. */
  async shutdown(): Promise<void> {
    this.#isStopping = true;
    for (const listener of this.#listeners) listener.close();
    await Promise.all(this.#accepting);
    this.retireConnections();
    await Promise.all(this.#serving.values());
    this.#connections[Symbol.dispose]();
  }

  async #accept(listener: Deno.TcpListener, handler: HttpHandler): Promise<void> {
    let pauseMs = PAUSE_MS.first;
    while (!this.#isStopping) {
      try {
        this.#take(await listener.accept(), handler);
        pauseMs = PAUSE_MS.first;
      } catch (error) {
        if (this.#isStopping) return;
        if (isOfConnection(error)) continue;
        this.#acceptFailures++;
        if (performance.now() - this.#shortageMs > PRESENT_MS) this.#options.onShortage?.(error);
        this.#shortage = messageOf(error);
        this.#shortageMs = performance.now();
        await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, pauseMs)));
        pauseMs = Math.min(pauseMs * 2, PAUSE_MS.longest);
      }
    }
  }

  #take(accepted: Deno.TcpConn, handler: HttpHandler): void {
    const { onError, secure } = this.#options;
    const address = accepted.remoteAddr.hostname;
    if (!this.#connections.makeRoom(address)) return accepted.close();
    accepted.setNoDelay();
    const connection = new Connection(accepted, {
      address,
      local: (accepted.localAddr as Deno.NetAddr).hostname,
      handler,
      onError,
      connections: this.#connections,
    });
    const served = connection.serve(secure && ((transport) => secure(transport, address)));
    this.#serving.set(connection, served);
    served.then(() => this.#serving.delete(connection));
  }
}

/** Whether the client's connection failed, not the listener: it was reset before it was accepted. */
function isOfConnection(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.TimedOut;
}
