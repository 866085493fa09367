/**
 * Listens with node:http in place of `Deno.serve`, which loses the last report of an encode: in Deno 2.8.3 to
 * 2.9.6 it drops what it has not handed on of a request's body when the client closes the connection, and ffmpeg
 * closes it right after its last report. With many open bodies it also takes half the CPU time and less memory.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { answer, type AnswerOptions } from "../../lib/web/fetch_adapter.ts";
import { toDenoError } from "../../lib/web/listen_error.ts";

/** Connections at once; one more is closed at once. */
export const MAX_CONNECTIONS = 10_000;
/** Time a connection has until its first request is there, in milliseconds. */
const BEGIN_TIMEOUT_MS = 10_000;
/** How long a connection may stay idle between requests: longer than scrapers usually pause, in milliseconds. */
const IDLE_TIMEOUT_MS = 120_000;

/** Options of {@linkcode HttpServer.listen}. */
export interface HttpServerOptions extends AnswerOptions {
  readonly hostname: string;
  readonly port: number;
  /** Takes requests before they become those of fetch; false: not one for it. */
  readonly accept: (message: IncomingMessage, response: ServerResponse) => boolean;
}

/** An HTTP server for long bodies. */
export class HttpServer {
  readonly addr: Deno.NetAddr;
  readonly #server: Server;

  private constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.addr = { transport: "tcp", hostname: address, port };
    this.#server = server;
  }

  /** Listens. @throws {Error} one of `Deno.errors`, as `Deno.serve` does, when it cannot */
  static async listen({ hostname, port, accept, ...options }: HttpServerOptions): Promise<HttpServer> {
    // A body lasts as long as its encode.
    const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
    server.maxConnections = MAX_CONNECTIONS;
    // Whoever sends no whole request in time: node:http destroys its connection.
    server.timeout = BEGIN_TIMEOUT_MS;
    server.on("clientError", (_error: Error, socket: Socket) => socket.destroy());
    server.on("request", (message, response: ServerResponse) => {
      const { socket } = message;
      socket.setTimeout(0);
      if (accept(message, response)) return;
      response.once("close", () => socket.setTimeout(IDLE_TIMEOUT_MS));
      answer(message, response, options);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(toDenoError(error)));
      server.listen({ host: hostname, port }, resolve);
    });
    return new HttpServer(server);
  }

  /** Stops accepting, and resolves when the requests in flight are answered. */
  async shutdown(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
  }
}
