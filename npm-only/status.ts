/**
 * The part of `@std/http/status` that the server uses.
 *
 * Stands in for `jsr:@std/http` where JSR is out of reach; the names are those of
 * https://jsr.io/@std/http/doc/status.
 *
 * @module
 */

/** Status codes of RFC 9110 by name. */
export const STATUS_CODE = {
  OK: 200,
  NoContent: 204,
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  Conflict: 409,
  ContentTooLarge: 413,
  ExpectationFailed: 417,
  TooManyRequests: 429,
  RequestHeaderFieldsTooLarge: 431,
  InternalServerError: 500,
  ServiceUnavailable: 503,
  HTTPVersionNotSupported: 505,
} as const;

/** One of the codes. */
export type StatusCode = typeof STATUS_CODE[keyof typeof STATUS_CODE];

/** Reason phrases by code. */
export const STATUS_TEXT: Readonly<Record<StatusCode, string>> = {
  200: "OK",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};
