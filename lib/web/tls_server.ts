/**
 * Serves a fetch handler over TLS, with certificates that can be exchanged while it listens and with client
 * certificates. `Deno.serve` can do neither, node:https can; HTTP/1.1 only.
 *
 * @module
 */
import type { Logger } from "../log.ts";
import { Acceptor } from "./acceptor.ts";
import type { AnswerOptions } from "./fetch_adapter.ts";
import { TlsConnection } from "./tls_connection.ts";
import type { TlsMaterial } from "./tls_material.ts";

/** Connections at once, each job of ffmpeg having one. */
export const MAX_CONNECTIONS = 1000;

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
  readonly #options: TlsServerOptions;
  readonly #acceptor: Acceptor;
  readonly #connections = new Set<TlsConnection>();
  #current: { readonly material: TlsMaterial; readonly verified: Set<string> };

  /** Listens. @throws {Error} one of `Deno.errors`, as `Deno.serve` does, when it cannot */
  constructor(options: TlsServerOptions) {
    this.#options = options;
    this.#current = { material: options.material, verified: new Set() };
    const { hostname, port, log } = options;
    const serve = (connection: Deno.TcpConn): Promise<void> => this.#serve(connection);
    this.#acceptor = new Acceptor({ hostname, port, log, maxConnections: MAX_CONNECTIONS, serve });
    this.addr = this.#acceptor.addr;
  }

  /** Serves new connections with this; open ones end with the request that they are at. */
  use(material: TlsMaterial): void {
    this.#current = { material, verified: new Set() };
    this.#retire();
  }

  /** Stops accepting, and resolves when the requests in flight are answered. */
  async shutdown(): Promise<void> {
    const closed = this.#acceptor.close();
    this.#retire();
    await closed;
  }

  #retire(): void {
    for (const connection of this.#connections) connection.retire();
  }

  async #serve(accepted: Deno.TcpConn): Promise<void> {
    const connection = new TlsConnection(accepted, {
      ...this.#options,
      ...this.#current,
      beginTimeoutMs: this.#options.beginTimeoutMs ?? 10_000,
      onHandshakeError: ({ message }) => {
        const client = accepted.remoteAddr.hostname;
        this.#options.log.debug("TLS handshake failed", { client, error: message });
      },
    });
    this.#connections.add(connection);
    await connection.closed;
    this.#connections.delete(connection);
  }
}
