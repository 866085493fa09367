/**
 * A connection as a stream of Node, on which node:tls works.
 *
 * @module
 */
import { Duplex } from "node:stream";
import { closeTransport, type Transport } from "./byte_source.ts";

/** Read at once, in bytes. */
const BUFFER_BYTES = 4096;

/** The connection as a stream; destroying it closes the connection. */
export class ConnectionStream extends Duplex {
  readonly #connection: Transport;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  /** Sets it up; nothing runs yet. */
  constructor(connection: Transport) {
    super({ allowHalfOpen: false });
    this.#connection = connection;
    // Errors are the client's doing, and a close follows.
    this.on("error", () => this.destroy());
  }

  /** Called when more is wanted. */
  override _read(): void {
    this.#connection.read(this.#buffer).then(
      (length) => this.push(length === null ? null : this.#buffer.slice(0, length)),
      (error) => this.destroy(error),
    );
  }

  /** Called with what is to be sent. */
  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#writeAll(chunk).then(() => done(), done);
  }

  /** Called when everything is sent. */
  override _final(done: (error?: Error | null) => void): void {
    this.#connection.closeWrite().then(() => done(), () => done());
  }

  /** Called once, at the end. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    closeTransport(this.#connection);
    done(error);
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) at += await this.#connection.write(chunk.subarray(at));
  }
}
