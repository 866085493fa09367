/**
 * A connection of Deno as a stream of Node, which node:https can serve.
 *
 * @module
 */
import { Duplex } from "node:stream";

/** Read at once, in bytes: a request of a scraper fits, and a thousand waiting connections take 4 MB. */
const BUFFER_BYTES = 4096;

/** The connection as a stream; destroying it closes the connection. */
export class ConnectionStream extends Duplex {
  /** Resolves when it has closed. */
  readonly whenClosed: Promise<void>;
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Deno.TcpConn) {
    super({ allowHalfOpen: false });
    this.#connection = connection;
    // node:http writes head and body apart: held back until the first is acknowledged, an answer takes 40 ms.
    connection.setNoDelay();
    this.whenClosed = new Promise((resolve) => this.once("close", resolve));
    // Errors are the client's doing, and a close follows.
    this.on("error", () => this.destroy());
  }

  /** The client's address. */
  get remoteAddr(): Deno.NetAddr {
    return this.#connection.remoteAddr;
  }

  /** The address that the client has connected to. */
  get localAddr(): Deno.NetAddr {
    return this.#connection.localAddr as Deno.NetAddr;
  }

  /** Closes it when this time has passed, in place of the time set before; undefined: it stays open. */
  closeAfter(ms: number | undefined): void {
    clearTimeout(this.#timer);
    // A timer would keep a connection that is closed already.
    if (this.destroyed) return;
    this.#timer = ms === undefined ? undefined : setTimeout(() => this.destroy(), ms);
    if (this.#timer !== undefined) Deno.unrefTimer(this.#timer);
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
    clearTimeout(this.#timer);
    this.#connection.close();
    done(error);
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) at += await this.#connection.write(chunk.subarray(at));
  }
}
