/**
 * Reads a request's body: of a known length, or in chunks (https://www.rfc-editor.org/rfc/rfc9112#section-7.1).
 *
 * @module
 */
import type { ByteSource } from "./byte_source.ts";
import type { OnChunk } from "./message.ts";
import type { BodyLength } from "./request_head.ts";

/** Longest line of a chunk's size with its extensions, and the longest trailer line, in bytes. */
const MAX_LINE_BYTES = 256;
const MAX_TRAILERS = 32;
const SIZE_REGEXP = /^([\da-f]{1,12})[ \t]*(?:;.*)?$/i;
const DECODER = new TextDecoder();

/**
 * Reads a body to its end and hands on each chunk as it comes.
 *
 * @returns whether it was whole: false where the connection ended, or it is malformed
 */
export async function readBody(
  source: ByteSource,
  length: BodyLength,
  onChunk: OnChunk,
): Promise<boolean> {
  if (length !== "chunked") return await readBytes(source, length, onChunk);
  while (true) {
    const line = await readLine(source);
    const size = Number.parseInt(SIZE_REGEXP.exec(line ?? "")?.[1] ?? "", 16);
    if (Number.isNaN(size)) return false;
    if (size === 0) return await readTrailers(source);
    if (!await readBytes(source, size, onChunk) || await readLine(source) !== "") return false;
  }
}

async function readBytes(source: ByteSource, length: number, onChunk: OnChunk): Promise<boolean> {
  for (let left = length; left > 0;) {
    if (source.length === 0 && !await source.fill()) return false;
    const bytes = source.take(left);
    left -= bytes.length;
    const done = onChunk(bytes);
    if (done) await done;
  }
  return true;
}

/** A line; undefined where there is none. */
async function readLine(source: ByteSource): Promise<string | undefined> {
  while (true) {
    const line = source.takeLine();
    if (line === "malformed") return undefined;
    if (line) return line.length > MAX_LINE_BYTES ? undefined : DECODER.decode(line);
    if (source.length > MAX_LINE_BYTES || !await source.fill()) return undefined;
  }
}

async function readTrailers(source: ByteSource): Promise<boolean> {
  for (let lines = 0; lines < MAX_TRAILERS; lines++) {
    const line = await readLine(source);
    if (line === undefined) return false;
    if (line === "") return true;
  }
  return false;
}
