/**
 * TLS on top of accepted connections, with client certificates, and with certificates that can be exchanged while
 * the server listens: `Deno.listenTls` can do neither, node:tls can.
 *
 * A fault of Deno 2.9's node:tls is worked around: it calls every resumed session authorized, also one begun with a
 * certificate that was not verified.
 *
 * @module
 */
import { createServer, type TLSSocket } from "node:tls";
import type { Transport } from "./byte_source.ts";
import { ConnectionStream } from "./connection_stream.ts";
import { TlsTransport } from "./tls_transport.ts";

/** What each `client_auth_type` asks of a client: to show a certificate, and to have it signed by the CA. */
export const CLIENT_AUTH = {
  NoClientCert: { request: false, require: false, verify: false },
  RequestClientCert: { request: true, require: false, verify: false },
  RequireAnyClientCert: { request: true, require: true, verify: false },
  VerifyClientCertIfGiven: { request: true, require: false, verify: true },
  RequireAndVerifyClientCert: { request: true, require: true, verify: true },
} as const;
/** One of {@linkcode CLIENT_AUTH}. */
export type ClientAuth = keyof typeof CLIENT_AUTH;

/** The TLS versions that Deno speaks, oldest first, as node:tls calls them. */
export const TLS_VERSIONS = { TLS12: "TLSv1.2", TLS13: "TLSv1.3" } as const;
/** One of {@linkcode TLS_VERSIONS}. */
export type TlsVersion = keyof typeof TLS_VERSIONS;

/** What TLS needs; certificates and key as PEM texts. */
export interface TlsMaterial {
  /** Certificate chain, as PEM. */
  readonly cert: string;
  /** Private key, as PEM. */
  readonly key: string;
  /** Certificates that sign those of clients, as PEM. */
  readonly clientCa: string | undefined;
  /** What is asked of a client. */
  readonly clientAuth: ClientAuth;
  /** Oldest version of TLS. */
  readonly minVersion: TlsVersion;
  /** Newest version of TLS. */
  readonly maxVersion: TlsVersion;
}

/** Client certificates remembered as verified, for resumed sessions. */
const MAX_VERIFIED = 1024;

/** Sets TLS on top of connections. */
export class TlsLayer {
  #material: TlsMaterial;
  /** Fingerprints of the client certificates that were verified with this material. */
  #verified = new Set<string>();

  /** Sets it up; nothing runs yet. */
  constructor(material: TlsMaterial) {
    this.#material = material;
  }

  /** Takes this for the handshakes to come. */
  use(material: TlsMaterial): void {
    this.#material = material;
    this.#verified = new Set();
  }

  /** Does the handshake. @throws {Error} when the client does not do its part, or may not go on */
  secure(connection: Transport): Promise<Transport> {
    const material = this.#material;
    const verified = this.#verified;
    const { request, require, verify } = CLIENT_AUTH[material.clientAuth];
    const stream = new ConnectionStream(connection);
    // Each connection has a server to itself that never listens, so it is known whose handshake failed.
    const server = createServer({
      cert: material.cert,
      key: material.key,
      // Under NoClientCert node:tls would still send the CA to every client, as a part of the chain.
      ...(request && material.clientCa ? { ca: material.clientCa } : {}),
      requestCert: request,
      rejectUnauthorized: require && verify,
      minVersion: TLS_VERSIONS[material.minVersion],
      maxVersion: TLS_VERSIONS[material.maxVersion],
    });
    const { promise, resolve, reject } = Promise.withResolvers<Transport>();
    server.on("secureConnection", (socket: TLSSocket) => {
      if (admits(socket, material.clientAuth, verified)) return resolve(new TlsTransport(socket));
      reject(new Error("its certificate is not one of the client CA"));
    });
    server.on("tlsClientError", reject);
    stream.once("close", () => reject(new Error("it closed the connection")));
    server.emit("connection", stream);
    return promise;
  }
}

/**
 * Whether the client may send requests. A resumed session is only admitted with a certificate that a full handshake
 * with the same material has verified: node:tls calls a resumed one "authorized" whatever it is.
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
