/**
 * One client's connection over TLS. Each has an HTTPS server to itself that never listens: so it is known which
 * connection a request has come by, and each keeps the certificates that it began with.
 *
 * Two faults of Deno 2.9's Node layer are worked around here: node:tls says of every resumed session that it is
 * authorized, and node:http does not keep its time-outs for connections that it did not accept itself.
 *
 * @module
 */
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import { CLIENT_AUTH, type ClientAuth, TLS_VERSIONS } from "./config.ts";
import { ConnectionStream } from "./connection_stream.ts";
import { answer, type AnswerOptions } from "./fetch_adapter.ts";
import type { TlsMaterial } from "./tls_material.ts";

/** How long a connection may stay idle between requests: longer than scrapers usually pause, in milliseconds. */
const IDLE_TIMEOUT_MS = 120_000;
/** How long a connection that is to close may take to send the rest of its answer, in milliseconds. */
const LINGER_MS = 5_000;
/** Client certificates remembered as verified, for resumed sessions. */
const MAX_VERIFIED = 1024;

/** Options of {@linkcode TlsConnection}. */
export interface TlsConnectionOptions extends AnswerOptions {
  readonly material: TlsMaterial;
  /** Fingerprints of the client certificates that were verified with this material; grows. */
  readonly verified: Set<string>;
  /** Time until the first request must be there, in milliseconds. */
  readonly beginTimeoutMs: number;
  /** Told why a handshake failed. */
  readonly onHandshakeError: (error: Error) => void;
}

/** A connection: closed when it keeps the server waiting, or when it is not wanted any more. */
export class TlsConnection {
  readonly #socket: ConnectionStream;
  #inFlight = 0;
  #retired = false;

  constructor(connection: Deno.TcpConn, options: TlsConnectionOptions) {
    this.#socket = new ConnectionStream(connection);
    this.#socket.closeAfter(options.beginTimeoutMs);
    this.#serve(options);
  }

  /** Resolves when it has closed. */
  get closed(): Promise<void> {
    return this.#socket.whenClosed;
  }

  /** Closes it as soon as no request is in flight. */
  retire(): void {
    this.#retired = true;
    if (this.#inFlight === 0) this.#socket.destroy();
  }

  #serve(options: TlsConnectionOptions): void {
    const { remoteAddr } = this.#socket;
    const { material, verified, beginTimeoutMs, onHandshakeError } = options;
    const { request, require, verify } = CLIENT_AUTH[material.clientAuth];
    const server = createServer({
      cert: material.cert,
      key: material.key,
      // Under NoClientCert node:tls would still send the CA to every client, as a part of the chain.
      ...(request && material.clientCa ? { ca: material.clientCa } : {}),
      requestCert: request,
      rejectUnauthorized: require && verify,
      minVersion: TLS_VERSIONS[material.minVersion],
      maxVersion: TLS_VERSIONS[material.maxVersion],
      handshakeTimeout: beginTimeoutMs,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
    }, (message, response) => {
      this.#begin(response);
      answer(message, response, { ...options, remoteAddr });
    });
    // node:http closes a connection after its first answer when its server does not listen.
    Object.defineProperty(server, "listening", { value: true });
    server.on("secureConnection", (socket: TLSSocket) => {
      if (!admits(socket, material.clientAuth, verified)) this.#socket.destroy();
    });
    server.on("tlsClientError", (error: Error) => {
      onHandshakeError(error);
      this.#socket.destroy();
    });
    server.on("clientError", () => this.#socket.destroy());
    server.emit("connection", this.#socket);
  }

  /** A request has come in. */
  #begin(response: ServerResponse): void {
    this.#socket.closeAfter(undefined);
    this.#inFlight++;
    if (this.#retired) response.setHeader("connection", "close");
    response.once("close", () => {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#socket.closeAfter(this.#retired ? LINGER_MS : IDLE_TIMEOUT_MS);
    });
  }
}

/**
 * Whether the client may send requests. A resumed session is only admitted with a certificate that a full handshake
 * with the same material has verified: of a resumed one, node:tls says "authorized" whatever it is.
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
