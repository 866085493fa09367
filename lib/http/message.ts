/**
 * What a handler gets and gives: a request as it stands in the request line and headers, an answer whose bytes all
 * clients share. Smaller than fetch's Request and Response, which copy each body and parse each URL.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";

/** Takes a chunk of a body; it is valid until the call, or the promise that it returns, has ended. */
export type OnChunk = (chunk: Uint8Array) => void | Promise<void>;

/** A request. */
export interface HttpRequest {
  /** As sent: `GET`. */
  readonly method: string;
  /** The path of the request line, percent-encoded as sent; never made from the Host header. */
  readonly path: string;
  /** What follows the question mark; empty where there is none. */
  readonly query: string;
  /** Values by lower-case name; those of a repeated name are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** The client's IP address. */
  readonly client: string;
  /** The IP address of this machine that the client has connected to. */
  readonly local: string;
  /** A password is asked for, and the client has shown none that fits. @default {false} */
  readonly isStranger?: boolean;
  /**
   * Reads the body to its end; false where it broke off or was malformed. It rejects with what
   * `onChunk` throws, and with nothing else. A connection whose body is
   * `wanted` is not closed to make room for others.
   */
  readBody(onChunk: OnChunk, wanted?: boolean): Promise<boolean>;
}

/** An answer. */
export interface HttpResponse {
  /** Status code. */
  readonly status: number;
  /** Values by lower-case name; the length is added. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as it is, never copied: one array serves every client. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Answers requests. */
export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

const ENCODER = new TextEncoder();

/** An answer of text. */
export function textResponse(
  text: string,
  status: number = STATUS_CODE.OK,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
    body: ENCODER.encode(text),
  };
}

/** An answer of JSON. */
export function jsonResponse(value: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  const type = { "content-type": "application/json" };
  return textResponse(JSON.stringify(value), STATUS_CODE.OK, { ...type, ...headers });
}

/** An answer without a body. */
export function emptyResponse(status: number): HttpResponse {
  return { status, headers: {}, body: new Uint8Array() };
}
