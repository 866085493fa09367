/**
 * Which format and which encoding a client of `/metrics` wants.
 *
 * Scrapers send the same headers every time, so the answers are remembered.
 *
 * @module
 */
import { accepts, acceptsEncodings } from "@std/http/negotiation";
import type { Format } from "./exposition.ts";
import type { HttpRequest } from "./http/message.ts";

/** How a page is to be sent. */
export interface Representation {
  /** How it is written. */
  readonly format: Format;
  /** Whether it is compressed. */
  readonly gzip: boolean;
}

/** Parameters count in a match, so each form that scrapers ask for stands here; the first is the default. */
const FORMAT_BY_TYPE: Readonly<Record<string, Format>> = {
  "text/plain; version=0.0.4": "text",
  "text/plain; version=0.0.4; escaping=allow-utf-8": "text",
  "text/plain": "text",
  "application/openmetrics-text; version=1.0.0": "openmetrics",
  "application/openmetrics-text; version=1.0.0; escaping=allow-utf-8": "openmetrics",
  "application/openmetrics-text": "openmetrics",
};
const TYPES = Object.keys(FORMAT_BY_TYPE);

const REMEMBERED = 64;
/** Longest headers that are parsed, in characters; the parser takes time by the square of their length. */
const MAX_LENGTH = 1024;
const known = new Map<string, Representation>();

/** Returns what the request's Accept and Accept-Encoding ask for; the text format where they fit nothing. */
export function negotiate({ headers }: Pick<HttpRequest, "headers">): Representation {
  const accept = headers.get("accept");
  const encoding = headers.get("accept-encoding");
  const key = `${accept}\n${encoding}`;
  if (key.length > MAX_LENGTH) return { format: "text", gzip: false };
  let answer = known.get(key);
  if (!answer) {
    const request = { headers: new Headers() };
    if (accept !== undefined) request.headers.set("accept", accept);
    if (encoding !== undefined) request.headers.set("accept-encoding", encoding);
    answer = {
      format: FORMAT_BY_TYPE[accepts(request, ...TYPES) ?? ""] ?? "text",
      // A client without Accept-Encoding gets none; @std/http would give it the first.
      gzip: encoding !== undefined && acceptsEncodings(request, "gzip", "identity") === "gzip",
    };
    // Only as many as honest scrapers can differ in: what a hostile one sends is not kept.
    if (known.size < REMEMBERED) known.set(key, answer);
  }
  return answer;
}
