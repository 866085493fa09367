/**
 * A connection of Deno as a stream of Node, for the servers of node:http and node:https. Their own listeners stop for
 * good, without a word, when one connection cannot be accepted for want of a file descriptor (Deno 2.9).
 *
 * @module
 */
import { Duplex } from "node:stream";

/** Read at once, in bytes: a request of a scraper fits, and a thousand waiting connections take 4 MB. */
const BUFFER_BYTES = 4096;

/** The connection as a stream; destroying it closes the connection. */
export class ConnectionStream extends Duplex {
  readonly #connection: Deno.TcpConn;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(connection: Deno.TcpConn) {
    super({ allowHalfOpen: false });
    this.#connection = connection;
    const { hostname, port } = connection.remoteAddr;
    this.remoteAddress = hostname;
    this.remotePort = port;
  }

  /** Called when more is wanted. */
  override _read(): void {
    const buffer = new Uint8Array(BUFFER_BYTES);
    this.#connection.read(buffer).then(
      (length) => this.push(length === null ? null : buffer.subarray(0, length)),
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
    this.#connection.close();
    done(error);
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) at += await this.#connection.write(chunk.subarray(at));
  }
}
