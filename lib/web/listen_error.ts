/**
 * Why a server of node:net cannot listen, as Deno's own would say it.
 *
 * @module
 */

/** Returns what `Deno.serve` would have thrown. */
export function toDenoError(error: Error & { code?: string }): Error {
  switch (error.code) {
    case "EADDRINUSE":
      return new Deno.errors.AddrInUse(error.message);
    case "EADDRNOTAVAIL":
      return new Deno.errors.AddrNotAvailable(error.message);
    case "EACCES":
      return new Deno.errors.PermissionDenied(error.message);
  }
  return error;
}
