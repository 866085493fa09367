/**
 * The part of `@std/path` that this project uses, on `node:path`.
 *
 * Stands in for `jsr:@std/path` where JSR is out of reach; names and behaviour are those of
 * https://jsr.io/@std/path.
 *
 * @module
 */
export { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
export { fileURLToPath as fromFileUrl } from "node:url";
