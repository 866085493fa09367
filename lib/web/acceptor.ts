/**
 * Accepts connections for the servers of node:http and node:https. Their own listeners stop for good, without a word,
 * when one connection cannot be accepted for want of a file descriptor (Deno 2.9); this one goes on.
 *
 * @module
 */
import type { Logger } from "../log.ts";

/** Pause after a connection could not be accepted, in milliseconds. */
const PAUSE_MS = 100;

/** Options of {@linkcode Acceptor}. */
export interface AcceptorOptions {
  readonly hostname: string;
  readonly port: number;
  /** Connections at once; one more is closed as it comes. */
  readonly maxConnections: number;
  readonly log: Logger;
  /** Takes a connection. What it returns resolves when the connection has closed. */
  readonly serve: (connection: Deno.TcpConn) => Promise<void>;
}

/** A listener. */
export class Acceptor {
  readonly addr: Deno.NetAddr;
  readonly #listener: Deno.TcpListener;
  readonly #options: AcceptorOptions;
  readonly #open = new Set<Promise<void>>();
  readonly #ended: Promise<void>;
  #stopping = false;

  /** Listens. @throws {Error} one of `Deno.errors` when it cannot */
  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#listener = Deno.listen({ hostname: options.hostname, port: options.port });
    this.addr = this.#listener.addr;
    this.#ended = this.#accept();
  }

  /** Stops accepting, and resolves when the last connection has closed. */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#listener.close();
    await this.#ended;
    await Promise.all(this.#open);
  }

  async #accept(): Promise<void> {
    let isTold = false;
    while (!this.#stopping) {
      try {
        this.#take(await this.#listener.accept());
        isTold = false;
      } catch (error) {
        if (this.#stopping) return;
        if (!isTold) this.#options.log.warn("cannot accept a connection", { error });
        isTold = true;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  #take(connection: Deno.TcpConn): void {
    if (this.#open.size >= this.#options.maxConnections) return connection.close();
    const closed = this.#options.serve(connection);
    this.#open.add(closed);
    closed.then(() => this.#open.delete(closed));
  }
}
