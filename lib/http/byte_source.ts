/**
 * Reads a connection through a small buffer, a thousand idle ones of which cost a megabyte.
 *
 * @module
 */

/** What bytes come from and go to: a TCP connection of Deno, or one with TLS on top. */
export interface Transport {
  /** Reads into the buffer; the number of bytes, null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes, and returns how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends this side: the client sees the end of what is sent. */
  closeWrite(): Promise<void>;
  /** Ends it. */
  close(): void;
}

/** Closes it; TLS on top of it may have done so. */
export function closeTransport(transport: Transport): void {
  try {
    transport.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** A scraper's request fits, and a report of ffmpeg. */
const MIN_BYTES = 1024;
/** The most, for a long head, or a client that sends much at once. */
export const MAX_BUFFER_BYTES = 16_384;
const LF = 10;
const CR = 13;

/** The bytes of a connection, in order. */
export class ByteSource {
  readonly #transport: Pick<Transport, "read">;
  #buffer = new Uint8Array(MIN_BYTES);
  #start = 0;
  #end = 0;

  /** Sets it up; nothing runs yet. */
  constructor(transport: Pick<Transport, "read">) {
    this.#transport = transport;
  }

  /** Bytes that were read and not taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Whether the buffer holds no more. */
  get isFull(): boolean {
    return this.length === MAX_BUFFER_BYTES;
  }

  /** Waits for more bytes; false at the end of the connection. The buffer must not be full. */
  async fill(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    const length = await this.#transport.read(this.#buffer.subarray(this.#end));
    if (length === null) return false;
    this.#end += length;
    return true;
  }

  /** Takes up to this many bytes; they are valid until the next {@linkcode fill}. */
  take(most: number): Uint8Array {
    const at = this.#start;
    this.#start = Math.min(this.#end, at + most);
    return this.#buffer.subarray(at, this.#start);
  }

  /** Takes a line without its CR LF, which it must have; undefined where it is not whole. */
  takeLine(): Uint8Array | "malformed" | undefined {
    const at = this.#buffer.indexOf(LF, this.#start);
    if (at < 0 || at >= this.#end) return undefined;
    if (at === this.#start || this.#buffer[at - 1] !== CR) return "malformed";
    const line = this.#buffer.subarray(this.#start, at - 1);
    this.#start = at + 1;
    return line;
  }

  /**
   * Takes what stands before an empty line, and that line; undefined where it is not whole.
   *
   * @throws {RangeError} when it has more lines
   */
  takeHead(maxLines: number): Uint8Array | undefined {
    const bytes = this.#buffer;
    let at = bytes.indexOf(LF, this.#start);
    for (let lines = 1; at >= 0 && at < this.#end; lines++) {
      if (lines > maxLines) throw new RangeError("Too many lines");
      const next = bytes.indexOf(LF, at + 1);
      if (next < 0 || next >= this.#end) return undefined;
      // Bare line feeds end a head, too: nobody waits for what never comes, and the parser refuses them.
      if (next === at + 1 || (next === at + 2 && bytes[at + 1] === CR)) {
        const head = bytes.subarray(this.#start, bytes[at - 1] === CR ? at - 1 : at);
        this.#start = next + 1;
        return head;
      }
      at = next;
    }
    return undefined;
  }

  /** Skips line ends before a request, which some clients send behind a body. */
  skipLineEnds(): void {
    while (
      this.#start < this.#end && (this.#buffer[this.#start] === CR || this.#buffer[this.#start] === LF)
    ) {
      this.#start++;
    }
  }

  /** Lets go of a buffer that has grown. */
  shrink(): void {
    if (this.#buffer.length === MIN_BYTES || this.length > MIN_BYTES) return;
    const rest = this.#buffer.subarray(this.#start, this.#end);
    this.#buffer = new Uint8Array(MIN_BYTES);
    this.#buffer.set(rest);
    this.#end = rest.length;
    this.#start = 0;
  }

  #makeRoom(): void {
    const rest = this.#buffer.subarray(this.#start, this.#end);
    const isHalfEmpty = rest.length <= this.#buffer.length / 2;
    if (isHalfEmpty) this.#buffer.copyWithin(0, this.#start, this.#end);
    else {
      const grown = new Uint8Array(Math.min(this.#buffer.length * 2, MAX_BUFFER_BYTES));
      grown.set(rest);
      this.#buffer = grown;
    }
    this.#end = rest.length;
    this.#start = 0;
  }
}
