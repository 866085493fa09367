/**
 * The server of http_server.ts for a base binary older than Deno 2.8, whose node:http serves only connections that
 * it has accepted itself. Its one weakness: without file descriptors it stops accepting, and has to be restarted.
 *
 * @module
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { answer } from "../../lib/web/fetch_adapter.ts";
import { BEGIN_TIMEOUT_MS, type HttpServerOptions, IDLE_TIMEOUT_MS, MAX_CONNECTIONS } from "./http_server.ts";

/** An HTTP server for long bodies. */
export class OldHttpServer {
  readonly addr: Deno.NetAddr;
  readonly #server: Server;

  private constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.addr = { transport: "tcp", hostname: address, port };
    this.#server = server;
  }

  /** Listens. @throws {Error} when it cannot */
  static async listen({ hostname, port, accept, ...options }: HttpServerOptions): Promise<OldHttpServer> {
    const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
    server.maxConnections = MAX_CONNECTIONS;
    server.timeout = BEGIN_TIMEOUT_MS;
    server.on("clientError", (_error: Error, socket: Socket) => socket.destroy());
    server.on("request", (message, response) => {
      const { socket } = message;
      const { remoteAddress = "", remotePort = 0 } = socket;
      socket.setTimeout(0);
      response.once("close", () => socket.setTimeout(IDLE_TIMEOUT_MS));
      const remoteAddr = { transport: "tcp", hostname: remoteAddress, port: remotePort } as const;
      if (!accept(message, response, remoteAddr)) answer(message, response, options);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: hostname, port }, resolve);
    });
    return new OldHttpServer(server);
  }

  /** Stops accepting, and resolves when the requests in flight are answered. */
  async shutdown(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
  }
}
