/**
 * A TLS socket of Node, read and written as a connection of Deno is.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { Transport } from "./byte_source.ts";

/** A connection with TLS. */
export class TlsTransport implements Transport {
  readonly #socket: TLSSocket;
  #rest: Uint8Array | undefined;
  #hasEnded = false;
  #wake = (): void => {};

  /** The handshake is done. */
  constructor(socket: TLSSocket) {
    this.#socket = socket;
    const end = (): void => {
      this.#hasEnded = true;
      this.#wake();
    };
    socket.on("readable", () => this.#wake()).on("end", end).on("close", end).on("error", end);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (true) {
      const chunk = this.#rest ?? this.#socket.read() as Uint8Array | null;
      if (chunk) {
        const length = Math.min(chunk.length, buffer.length);
        buffer.set(chunk.subarray(0, length));
        this.#rest = length < chunk.length ? chunk.subarray(length) : undefined;
        return length;
      }
      if (this.#hasEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length))
    );
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once("close", resolve).end(resolve);
    });
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.destroy();
  }
}
