/**
 * The part of `@std/http/negotiation` that the server uses, on negotiator.
 *
 * Stands in for `jsr:@std/http` where JSR is out of reach; names and behaviour are those of
 * https://jsr.io/@std/http/doc/negotiation.
 *
 * @module
 */
// @ts-types="./negotiator.d.ts"
import Negotiator from "negotiator";

/** The best of `types` for the request's Accept header; the first where there is none. */
export function accepts<T extends string>(request: Pick<Request, "headers">, ...types: T[]): T | undefined {
  return request.headers.has("accept") ? negotiator(request).mediaType(types) as T | undefined : types[0];
}

/** The best of `encodings` for the request's Accept-Encoding header; the first where there is none. */
export function acceptsEncodings<T extends string>(
  request: Pick<Request, "headers">,
  ...encodings: T[]
): T | undefined {
  return request.headers.has("accept-encoding")
    ? negotiator(request).encoding(encodings) as T | undefined
    : encodings[0];
}

function negotiator(request: Pick<Request, "headers">): Negotiator {
  return new Negotiator({ headers: Object.fromEntries(request.headers) });
}
