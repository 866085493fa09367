/**
 * Serves a fetch handler over TLS, with certificates that can be exchanged while it listens and with client
 * certificates. `Deno.serve` can do neither, node:https can; HTTP/1.1 only.
 *
 * Two faults of node:tls in Deno 2.9 are worked around here: a client that resumes a session counts as authorized
 * whatever its certificate is, and the header time-out is not kept.
 *
 * @module
 */
import type { ServerResponse } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "../log.ts";
import { CLIENT_AUTH, type ClientAuth, TLS_VERSIONS } from "./config.ts";
import { answer, type AnswerOptions } from "./fetch_adapter.ts";
import { toDenoError } from "./listen_error.ts";
import type { TlsMaterial } from "./tls_material.ts";

/** Connections at once, each job of ffmpeg having one; one more is closed as it comes. */
export const MAX_CONNECTIONS = 1000;
/** How long a connection may stay idle between requests: longer than scrapers usually pause, in milliseconds. */
const IDLE_TIMEOUT_MS = 120_000;
/** How long a connection that is to close may take to send the rest of its answer, in milliseconds. */
const LINGER_MS = 5_000;
/** Client certificates remembered as verified, for resumed sessions. */
const MAX_VERIFIED = 1024;

/** Options of {@linkcode TlsServer.listen}. */
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
  readonly #listener: Server;
  readonly #options: TlsServerOptions;
  readonly #beginTimeoutMs: number;
  /** Open connections by the client's address and port: raw and encrypted sockets agree on these. */
  readonly #connections = new Map<string, Connection>();
  readonly #idle = Promise.withResolvers<void>();
  #stopping = false;
  #current: HttpsServer;

  private constructor(listener: Server, options: TlsServerOptions) {
    const { address, port } = listener.address() as AddressInfo;
    this.addr = { transport: "tcp", hostname: address, port };
    this.#listener = listener;
    this.#options = options;
    this.#beginTimeoutMs = options.beginTimeoutMs ?? 10_000;
    this.#current = this.#createServer(options.material);
    listener.on("connection", (socket: Socket) => this.#accept(socket));
  }

  /** Listens. @throws {Error} one of `Deno.errors`, as `Deno.serve` does, when it cannot */
  static async listen(options: TlsServerOptions): Promise<TlsServer> {
    const listener = createServer();
    await new Promise<void>((resolve, reject) => {
      listener.once("error", (error) => reject(toDenoError(error)));
      listener.listen({ host: options.hostname, port: options.port }, resolve);
    });
    return new TlsServer(listener, options);
  }

  /** Serves new connections with this; open ones end with the request that they are at. */
  use(material: TlsMaterial): void {
    this.#current = this.#createServer(material);
    for (const connection of this.#connections.values()) connection.retire();
  }

  /** Stops accepting, and resolves when the requests in flight are answered. */
  async shutdown(): Promise<void> {
    this.#stopping = true;
    this.#listener.close();
    if (this.#connections.size === 0) return;
    for (const connection of this.#connections.values()) connection.retire();
    await this.#idle.promise;
  }

  #accept(socket: Socket): void {
    // Its errors are the client's doing, and a close follows.
    socket.on("error", () => socket.destroy());
    if (this.#connections.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    this.#connections.set(key, new Connection(socket, this.#beginTimeoutMs));
    socket.once("close", () => this.#forget(key));
    this.#current.emit("connection", socket);
  }

  #forget(key: string): void {
    this.#connections.get(key)?.clear();
    this.#connections.delete(key);
    if (this.#stopping && this.#connections.size === 0) this.#idle.resolve();
  }

  #createServer(material: TlsMaterial): HttpsServer {
    const { request, require, verify } = CLIENT_AUTH[material.clientAuth];
    const server = createHttpsServer({
      cert: material.cert,
      key: material.key,
      // Under NoClientCert node:tls would still send the CA to every client, as a part of the chain.
      ...(request && material.clientCa ? { ca: material.clientCa } : {}),
      requestCert: request,
      rejectUnauthorized: require && verify,
      minVersion: TLS_VERSIONS[material.minVersion],
      maxVersion: TLS_VERSIONS[material.maxVersion],
      handshakeTimeout: this.#beginTimeoutMs,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
    }, (message, response) => {
      this.#connections.get(keyOf(message.socket))?.begin(response);
      answer(message, response, this.#options);
    });
    const verified = new Set<string>();
    server.on("secureConnection", (socket: TLSSocket) => {
      const key = keyOf(socket);
      socket.once("close", () => this.#forget(key));
      if (!admits(socket, material.clientAuth, verified)) socket.destroy();
    });
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#options.log.debug("TLS handshake failed", { client: socket.remoteAddress, error: error.message });
      socket.destroy();
    });
    server.on("clientError", (_error: Error, socket: Socket) => socket.destroy());
    return server;
  }
}

/** A client's connection: closed when it keeps the server waiting, or when it is not wanted any more. */
class Connection {
  readonly #socket: Socket;
  #timer: ReturnType<typeof setTimeout>;
  #inFlight = 0;
  #retired = false;

  constructor(socket: Socket, beginTimeoutMs: number) {
    this.#socket = socket;
    this.#timer = this.#destroyAfter(beginTimeoutMs);
  }

  /** A request has come in. */
  begin(response: ServerResponse): void {
    clearTimeout(this.#timer);
    this.#inFlight++;
    if (this.#retired) response.setHeader("connection", "close");
    response.once("close", () => {
      this.#inFlight--;
      if (this.#inFlight > 0) return;
      clearTimeout(this.#timer);
      this.#timer = this.#destroyAfter(this.#retired ? LINGER_MS : IDLE_TIMEOUT_MS);
    });
  }

  /** Closes it as soon as no request is in flight. */
  retire(): void {
    this.#retired = true;
    if (this.#inFlight === 0) this.#socket.destroy();
  }

  /** It has closed. */
  clear(): void {
    clearTimeout(this.#timer);
  }

  #destroyAfter(ms: number): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#socket.destroy(), ms);
    Deno.unrefTimer(timer);
    return timer;
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

/**
 * Whether the client may send requests. A resumed session is only admitted with a certificate that a full handshake
 * with this server has verified: of a resumed one, node:tls says "authorized" whatever it is.
 */
function admits(socket: TLSSocket, clientAuth: ClientAuth, verified: Set<string>): boolean {
  const { request, require, verify } = CLIENT_AUTH[clientAuth];
  if (!request) return true;
  const { fingerprint256: fingerprint, valid_to } = socket.getPeerCertificate() ?? {};
  if (!fingerprint) return !require;
  if (!verify) return true;
  if (socket.isSessionReused()) return verified.has(fingerprint) && Date.parse(valid_to) > Date.now();
  if (!socket.authorized) return false;
  if (verified.size >= MAX_VERIFIED) verified.clear();
  verified.add(fingerprint);
  return true;
}
