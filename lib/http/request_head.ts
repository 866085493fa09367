/**
 * Parses a request's head, strictly: what two programs could understand in two ways is refused, so that nothing can be
 * smuggled past a proxy.
 *
 * https://www.rfc-editor.org/rfc/rfc9112
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";

/** Longest head, in bytes. */
export const MAX_HEAD_BYTES = 16_384;
/** Most header lines. */
export const MAX_HEADERS = 64;

/** A request that is refused unread; the connection closes behind the answer. */
export class BadRequest extends Error {
  /** The class, by which it is logged. */
  override readonly name = "BadRequest";

  /** `status` is the answer's, `message` its text. */
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** A body's length in bytes, or how its end is marked. */
export type BodyLength = number | "chunked";

/** A head. */
export interface RequestHead {
  /** Method, in upper case. */
  readonly method: string;
  /** Path, without the query. */
  readonly path: string;
  /** What follows the question mark, or nothing. */
  readonly query: string;
  /** Headers, by name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** How long its body is. */
  readonly bodyLength: BodyLength;
  /** The client means to send another request on this connection. */
  readonly keepAlive: boolean;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE_REGEXP = new RegExp(`^(${TOKEN}) ([!-~]+) HTTP/(\\d)\\.(\\d)$`);
const NAME_REGEXP = new RegExp(`^${TOKEN}$`);
/** Control characters but tabs and whole line ends. */
// deno-lint-ignore no-control-regex
const CONTROL_REGEXP = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
const HOST_REGEXP = /^[\w.~!$&'()*+,;=:%[\]-]*$/;
/** Headers that must not come twice. */
const SINGLE = new Set(["host", "content-length", "transfer-encoding", "authorization", "expect", "origin"]);

/**
 * Parses a head without its empty last line.
 *
 * @throws {BadRequest} when it is not unambiguously one
 */
export function parseHead(text: string): RequestHead {
  if (CONTROL_REGEXP.test(text)) throw bad("Control characters in the head");
  const [requestLine = "", ...lines] = text.split("\r\n");
  const [, method, target, major, minor] = REQUEST_LINE_REGEXP.exec(requestLine) ?? [];
  if (method === undefined || target === undefined) throw bad("Malformed request line");
  if (major !== "1") throw new BadRequest(STATUS_CODE.HTTPVersionNotSupported, "Only HTTP/1.1 is served");
  const isOld = minor === "0";
  const headers = parseHeaders(lines);
  const host = headers.get("host");
  if (host === undefined ? !isOld : !HOST_REGEXP.test(host)) throw bad("Malformed or missing Host");
  const expect = headers.get("expect");
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
    throw new BadRequest(STATUS_CODE.ExpectationFailed, "Only 100-continue can be expected");
  }
  return {
    method,
    ...splitTarget(target),
    headers,
    bodyLength: bodyLengthOf(headers, isOld),
    keepAlive: !isOld && !/(?:^|,)\s*close\s*(?:,|$)/i.test(headers.get("connection") ?? ""),
    expectsContinue: expect !== undefined && !isOld,
  };
}

function parseHeaders(lines: readonly string[]): Map<string, string> {
  if (lines.length > MAX_HEADERS) {
    throw new BadRequest(STATUS_CODE.RequestHeaderFieldsTooLarge, "Too many headers");
  }
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (colon < 1 || !NAME_REGEXP.test(name)) throw bad("Malformed header");
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    if (before !== undefined && SINGLE.has(name)) throw bad(`Repeated header "${name}"`);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

/** Path and query; of the absolute form, which proxies get, the origin counts for nothing. */
function splitTarget(target: string): { path: string; query: string } {
  const local = target.replace(/^https?:\/\/[^/?#]*/i, "");
  if (target === "*" || !local.startsWith("/") || local.includes("#")) throw bad("Malformed request target");
  const mark = local.indexOf("?");
  return mark < 0 ? { path: local, query: "" } : { path: local.slice(0, mark), query: local.slice(mark + 1) };
}

function bodyLengthOf(headers: ReadonlyMap<string, string>, isOld: boolean): BodyLength {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined) {
    if (length !== undefined || isOld || coding.toLowerCase() !== "chunked") {
      throw bad("Ambiguous length of the body");
    }
    return "chunked";
  }
  if (length === undefined) return 0;
  if (!/^\d{1,15}$/.test(length)) throw bad("Malformed Content-Length");
  return Number(length);
}

function bad(message: string): BadRequest {
  return new BadRequest(STATUS_CODE.BadRequest, message);
}
