/**
 * Serves requests whose bodies last as long as an encode, with node:http in place of `Deno.serve`, which loses the
 * last report of an encode: in Deno 2.8.3 to 2.9.6 it drops what it has not handed on of a request's body when the
 * client closes the connection, and ffmpeg closes it right after its last report.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Logger } from "../../lib/log.ts";
import { Acceptor } from "../../lib/web/acceptor.ts";
import { ConnectionStream } from "../../lib/web/connection_stream.ts";
import { answer, type AnswerOptions } from "../../lib/web/fetch_adapter.ts";

/** Connections at once; one more is closed at once. */
export const MAX_CONNECTIONS = 10_000;
/** Time a connection has until its first request is there, in milliseconds. */
export const BEGIN_TIMEOUT_MS = 10_000;
/** How long a connection may stay idle between requests: longer than scrapers usually pause, in milliseconds. */
export const IDLE_TIMEOUT_MS = 120_000;

/** Options of {@linkcode HttpServer}. */
export interface HttpServerOptions extends Omit<AnswerOptions, "remoteAddr"> {
  readonly hostname: string;
  readonly port: number;
  readonly log: Logger;
}

/** An HTTP server for long bodies. */
export class HttpServer {
  readonly addr: Deno.NetAddr;
  readonly #acceptor: Acceptor;
  /** Never listens: it is given connections. */
  readonly #server: Server;
  readonly #idle = new Set<ConnectionStream>();
  #isStopping = false;

  /** Listens. @throws {Error} one of `Deno.errors`, as `Deno.serve` does, when it cannot */
  constructor(options: HttpServerOptions) {
    const { hostname, port, log } = options;
    this.#server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
    // node:http closes a connection after its first answer when its server does not listen.
    Object.defineProperty(this.#server, "listening", { value: true });
    this.#server.on("clientError", (_error: Error, socket: ConnectionStream) => socket.destroy());
    this.#server.on("request", (message, response) => this.#begin(message, response, options));
    const serve = (connection: Deno.TcpConn): Promise<void> => this.#serve(connection);
    this.#acceptor = new Acceptor({ hostname, port, log, maxConnections: MAX_CONNECTIONS, serve });
    this.addr = this.#acceptor.addr;
  }

  /** Stops accepting, and resolves when the requests in flight are answered. */
  async shutdown(): Promise<void> {
    this.#isStopping = true;
    const closed = this.#acceptor.close();
    for (const connection of this.#idle) connection.destroy();
    await closed;
  }

  async #serve(accepted: Deno.TcpConn): Promise<void> {
    const connection = new ConnectionStream(accepted);
    connection.closeAfter(BEGIN_TIMEOUT_MS);
    this.#idle.add(connection);
    this.#server.emit("connection", connection);
    await connection.whenClosed;
    this.#idle.delete(connection);
  }

  #begin(message: IncomingMessage, response: ServerResponse, options: HttpServerOptions): void {
    const connection = message.socket as unknown as ConnectionStream;
    const { remoteAddr, localAddr } = connection;
    connection.closeAfter(undefined);
    this.#idle.delete(connection);
    response.once("close", () => {
      if (this.#isStopping) return connection.destroy();
      connection.closeAfter(IDLE_TIMEOUT_MS);
      if (!connection.destroyed) this.#idle.add(connection);
    });
    const handler: typeof options.handler = (request, info) => {
      const ends = { ...info, localAddr };
      return options.handler(request, ends);
    };
    answer(message, response, { ...options, handler, remoteAddr });
  }
}
