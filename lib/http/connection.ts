/**
 * Serves one connection: one request after the other, the next one read when the last is answered. Requests that are
 * sent ahead end the connection.
 *
 * @module
 */
import { STATUS_CODE, STATUS_TEXT, type StatusCode } from "@std/http/status";
import { readBody } from "./body.ts";
import { ByteSource, closeTransport, type Transport } from "./byte_source.ts";
import type { Connections, Counted } from "./connections.ts";
import { clientKey } from "./client_key.ts";
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type OnChunk,
  textResponse,
} from "./message.ts";
import { BadRequest, MAX_HEADERS, parseHead, type RequestHead } from "./request_head.ts";

/** How long each state of a connection may last, in milliseconds. */
export const TIME_LIMITS = {
  /** A new connection until the first byte of a request. */
  silent: 60_000,
  /** From one answer to the next request: longer than scrapers usually pause. */
  idle: 120_000,
  /** A TLS handshake. */
  handshake: 10_000,
  /** A request's head, from its first byte. */
  head: 10_000,
  /** An answer, until the client has taken it. */
  answer: 30_000,
  /** What the client still sends while the connection closes. */
  linger: 2_000,
} as const;

/** Bytes of a body that are written at once. */
const SLICE_BYTES = 65_536;
/** Bytes of a body that nobody reads, that are skipped to answer the next request on the same connection. */
const MAX_SKIPPED_BYTES = 65_536;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** Options of {@linkcode Connection}. */
export interface ConnectionOptions {
  /** The client's IP address. */
  readonly address: string;
  /** The IP address that it has connected to. */
  readonly local: string;
  /** Answers the requests. */
  readonly handler: HttpHandler;
  /** All connections of the server. */
  readonly connections: Connections;
  /** Answers where the handler fails. */
  readonly onError: (error: unknown) => HttpResponse;
}

/** A connection. */
export class Connection implements Counted {
  readonly address: string;
  deadlineMs: number = performance.now() + TIME_LIMITS.silent;
  readonly #options: ConnectionOptions;
  readonly #client: string;
  #transport: Transport;
  #isClosed = false;
  /** No further request is taken. */
  #isRetired = false;
  #isBusy = false;
  /** Bytes of the last answer that may not have been read. */
  #unread = 0;
  /** The last head, which scrapers repeat each time. */
  #lastText = "";
  #lastHead: RequestHead | undefined;

  /** Sets it up; nothing runs yet. */
  constructor(transport: Transport, options: ConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.address = options.address;
    this.#client = clientKey(options.address);
    options.connections.add(this);
  }

  /**
   * Serves until the connection ends; never rejects. `secure` turns the connection into one with TLS.
   */
  async serve(secure?: (transport: Transport) => Promise<Transport>): Promise<void> {
    try {
      if (secure) {
        this.#limit("handshake");
        const secured = await secure(this.#transport);
        if (this.#isClosed) return closeTransport(secured);
        this.#transport = secured;
        this.#limit("silent");
      }
      const source = new ByteSource(this.#transport);
      while (await this.#serveOne(source));
    } catch {
      // The client has gone or was made to go; what the handler throws goes to onError.
    } finally {
      this.close();
    }
  }

  /** Closes it at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.connections.sends.abandon(this.#client, this.#unread);
    this.#options.connections.delete(this);
    closeTransport(this.#transport);
  }

  /** Closes it as soon as no request is in flight. */
  retire(): void {
    this.#isRetired = true;
    if (!this.#isBusy) this.close();
  }

  /** Answers the next request; false when there is none, or none is to follow. */
  async #serveOne(source: ByteSource): Promise<boolean> {
    let head: RequestHead | undefined;
    try {
      head = await this.#readHead(source);
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      await this.#send(textResponse(`${error.message}\n`, error.status), "GET", true);
      return await this.#linger(source);
    }
    if (!head) return false;
    this.#isBusy = true;
    this.#options.connections.markBusy(this);
    this.deadlineMs = Infinity;
    const body = new Body(source, head, this.#transport, (wanted) => this.#beginBody(wanted));
    const response = await this.#answer(head, body);
    if (!body.isWhole) this.#limit("head");
    const isBodyRead = await body.skip();
    source.skipLineEnds();
    // Who sends the next request before the answer need not read any of them: no scraper does.
    const isPipelined = source.length > 0;
    const isLast = !head.keepAlive || !isBodyRead || isPipelined || this.#isRetired;
    if (await this.#send(response, head.method, isLast) || this.#isRetired) return await this.#linger(source);
    this.#isBusy = false;
    this.#options.connections.markIdle(this);
    source.shrink();
    this.#limit("idle");
    return true;
  }

  async #readHead(source: ByteSource): Promise<RequestHead | undefined> {
    source.skipLineEnds();
    while (source.length === 0) {
      if (!await source.fill()) return undefined;
      source.skipLineEnds();
    }
    this.#markRead();
    this.#limit("head");
    let bytes = takeHead(source);
    while (!bytes) {
      if (source.isFull) throw new BadRequest(STATUS_CODE.RequestHeaderFieldsTooLarge, "Head too long");
      if (!await source.fill()) return undefined;
      bytes = takeHead(source);
    }
    const text = DECODER.decode(bytes);
    if (text !== this.#lastText || !this.#lastHead) {
      this.#lastHead = parseHead(text);
      this.#lastText = text;
    }
    return this.#lastHead;
  }

  async #answer(head: RequestHead, body: Body): Promise<HttpResponse> {
    const { method, path, query, headers } = head;
    const request: HttpRequest = {
      method,
      path,
      query,
      headers,
      client: this.address,
      local: this.#options.local,
      readBody: (onChunk, wanted) => body.read(onChunk, wanted),
    };
    try {
      return await this.#options.handler(request);
    } catch (error) {
      return this.#options.onError(error);
    }
  }

  #beginBody(wanted: boolean): void {
    if (wanted) this.#options.connections.markWanted(this);
    else this.#options.connections.markIdle(this);
  }

  /** Sends an answer; whether it is the connection's last. */
  async #send(response: HttpResponse, method: string, isLast: boolean): Promise<boolean> {
    const { sends } = this.#options.connections;
    const reserved = sends.reserve(this.#client, response.body.length);
    if (reserved === undefined) return await this.#send(UNREAD, method, true);
    this.#unread = reserved;
    this.#limit("answer");
    const head = headOf(response, isLast);
    const body = method === "HEAD" ? NOTHING : response.body;
    if (head.length + body.length <= SLICE_BYTES) {
      // One write, one packet.
      const bytes = new Uint8Array(head.length + body.length);
      ENCODER.encodeInto(head, bytes);
      bytes.set(body, head.length);
      await this.#write(bytes);
      return isLast;
    }
    await this.#write(ENCODER.encode(head));
    for (let at = 0; at < body.length; at += SLICE_BYTES) {
      await this.#write(body.subarray(at, at + SLICE_BYTES));
    }
    return isLast;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    let at = await this.#transport.write(bytes);
    while (at < bytes.length) at += await this.#transport.write(bytes.subarray(at));
  }

  /**
   * Ends the connection so that the client gets the answer: closed while data comes in, the kernel would throw it
   * away.
   */
  async #linger(source: ByteSource): Promise<false> {
    this.#isBusy = false;
    this.#isRetired = true;
    this.#options.connections.markIdle(this);
    this.#limit(this.#unread > 0 ? "answer" : "linger");
    await this.#transport.closeWrite();
    for (let taken = 0; taken < MAX_SKIPPED_BYTES && await source.fill();) {
      taken += source.take(Infinity).length;
    }
    return false;
  }

  /** The client has read the last answer: it asks again, or has ended the connection. */
  #markRead(): void {
    if (this.#unread === 0) return;
    this.#options.connections.sends.release(this.#client, this.#unread);
    this.#unread = 0;
  }

  #limit(state: keyof typeof TIME_LIMITS): void {
    this.deadlineMs = performance.now() + TIME_LIMITS[state];
  }
}

const NOTHING = new Uint8Array();
const UNREAD = textResponse("Too many answers wait to be read\n", STATUS_CODE.ServiceUnavailable, {
  "retry-after": "1",
});

function takeHead(source: ByteSource): Uint8Array | undefined {
  try {
    // The request line comes on top.
    return source.takeHead(MAX_HEADERS + 1);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new BadRequest(STATUS_CODE.RequestHeaderFieldsTooLarge, "Too many headers");
  }
}

function headOf({ status, headers, body }: HttpResponse, isLast: boolean): string {
  let head = `HTTP/1.1 ${status} ${STATUS_TEXT[status as StatusCode] ?? ""}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  if (status !== STATUS_CODE.NoContent) head += `content-length: ${body.length}\r\n`;
  head += `date: ${httpDate()}\r\n`;
  return isLast ? `${head}connection: close\r\n\r\n` : `${head}\r\n`;
}

let dateSecond = 0;
let dateText = "";

/** The time as HTTP writes it, made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** The body of one request. */
class Body {
  readonly #source: ByteSource;
  readonly #head: RequestHead;
  readonly #transport: Transport;
  readonly #onBegin: (wanted: boolean) => void;
  #isBegun = false;
  /** It has been read to its end. */
  isWhole: boolean;

  constructor(
    source: ByteSource,
    head: RequestHead,
    transport: Transport,
    onBegin: (wanted: boolean) => void,
  ) {
    this.#source = source;
    this.#head = head;
    this.#transport = transport;
    this.#onBegin = onBegin;
    this.isWhole = head.bodyLength === 0;
  }

  async read(onChunk: OnChunk, wanted = false): Promise<boolean> {
    if (this.isWhole || this.#isBegun) return this.isWhole;
    this.#isBegun = true;
    this.#onBegin(wanted);
    let fault: { readonly error: unknown } | undefined;
    const take: OnChunk = (chunk) => {
      try {
        return onChunk(chunk);
      } catch (error) {
        fault = { error };
        throw error;
      }
    };
    try {
      if (this.#head.expectsContinue) {
        await this.#transport.write(ENCODER.encode("HTTP/1.1 100 Continue\r\n\r\n"));
      }
      this.isWhole = await readBody(this.#source, this.#head.bodyLength, take);
    } catch {
      // Else the connection broke: an end like any other.
      if (fault) throw fault.error;
    }
    return this.isWhole;
  }

  /** Reads on to the end of a small body that the handler did not read; false when there is more to come. */
  async skip(): Promise<boolean> {
    const { bodyLength, expectsContinue } = this.#head;
    const isSmall = typeof bodyLength === "number" && bodyLength <= MAX_SKIPPED_BYTES && !expectsContinue;
    return this.isWhole || (!this.#isBegun && isSmall && await this.read(() => {}));
  }
}
