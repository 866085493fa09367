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
  TooManyRequests: 429,
  InternalServerError: 500,
  ServiceUnavailable: 503,
} as const;
