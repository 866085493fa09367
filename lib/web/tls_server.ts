/**
 * Serves a fetch handler over TLS, with certificates that can be exchanged while it listens and with client
 * certificates. `Deno.serve` can do neither, node:https can; HTTP/1.1 only.
 *
 * @module
 */
import type { Logger } from "../log.ts";
import type { AnswerOptions } from "./fetch_adapter.ts";
import { TlsConnection } from "./tls_connection.ts";
import type { TlsMaterial } from "./tls_material.ts";

/** Connections at once, each job of ffmpeg having one; one more is closed as it comes. */
export const MAX_CONNECTIONS = 1000;
/** Pause after a connection could not be accepted, for want of file descriptors, in milliseconds. */
const ACCEPT_PAUSE_MS = 100;

/** Options of {@linkcode TlsServer}. */
export interface TlsServerOptions extends AnswerOptions {
  readonly hostname: string;
  readonly port: number;
  readonly material: TlsMaterial;
  readonly log: Logger;
  /** Time a new connection has until its first request is there, in milliseconds. @default {10000} */
  readonly beginTimeoutMs?: number;
}

/** An HTTPS server. */
export class TlsServer {
  readonly addr: Deno.NetAddr;
  /** Resolves when it has stopped to listen and the last connection has closed. */
  readonly finished: Promise<void>;
  readonly #listener: Deno.TcpListener;
  readonly #options: TlsServerOptions;
  readonly #connections = new Set<TlsConnection>();
  #current: { readonly material: TlsMaterial; readonly verified: Set<string> };
  #stopping = false;

  /** Listens. @throws {Error} one of `Deno.errors`, as `Deno.serve` does, when it cannot */
  constructor(options: TlsServerOptions) {
    this.#options = options;
    this.#current = { material: options.material, verified: new Set() };
    this.#listener = Deno.listen({ hostname: options.hostname, port: options.port });
    this.addr = this.#listener.addr;
    this.finished = this.#accept();
  }

  /** Serves new connections with this; open ones end with the request that they are at. */
  use(material: TlsMaterial): void {
    this.#current = { material, verified: new Set() };
    for (const connection of this.#connections) connection.retire();
  }

  /** Stops accepting, and resolves when the requests in flight are answered. */
  async shutdown(): Promise<void> {
    this.#stopping = true;
    this.#listener.close();
    for (const connection of this.#connections) connection.retire();
    await this.finished;
  }

  async #accept(): Promise<void> {
    let isTold = false;
    while (!this.#stopping) {
      try {
        this.#serve(await this.#listener.accept());
        isTold = false;
      } catch (error) {
        if (this.#stopping) break;
        if (!isTold) this.#options.log.warn("cannot accept a connection", { error });
        isTold = true;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
    await Promise.all([...this.#connections].map(({ closed }) => closed));
  }

  #serve(accepted: Deno.TcpConn): void {
    if (this.#connections.size >= MAX_CONNECTIONS) return accepted.close();
    const connection = new TlsConnection(accepted, {
      ...this.#options,
      ...this.#current,
      beginTimeoutMs: this.#options.beginTimeoutMs ?? 10_000,
      onHandshakeError: ({ message }) => {
        this.#options.log.debug("TLS handshake failed", {
          client: accepted.remoteAddr.hostname,
          error: message,
        });
      },
    });
    this.#connections.add(connection);
    connection.closed.then(() => this.#connections.delete(connection));
  }
}
