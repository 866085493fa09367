/**
 * Text in a PNG file: what made a picture, kept in the picture.
 *
 * https://www.w3.org/TR/png-3/#11tEXt
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** Length and type of a chunk come before its data, a checksum of type and data after it. */
const CHUNK_OVERHEAD_BYTES = 12;
const SIGNATURE_BYTES = 8;
const LATIN1 = new TextDecoder("latin1");

/** Returns the picture with a text under a keyword of PNG's, such as `Software`; both ASCII. */
export function withText(png: Uint8Array, keyword: string, text: string): Uint8Array<ArrayBuffer> {
  const data = new TextEncoder().encode(`${keyword}\0${text}`);
  const chunk = new Uint8Array(data.length + CHUNK_OVERHEAD_BYTES);
  chunk.set(new TextEncoder().encode("tEXt"), 4);
  chunk.set(data, 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  view.setUint32(8 + data.length, crc32(chunk.subarray(4, 8 + data.length)));
  // The header chunk has to stay the first.
  const end = SIGNATURE_BYTES + CHUNK_OVERHEAD_BYTES + lengthAt(png, SIGNATURE_BYTES);
  return new Uint8Array([...png.subarray(0, end), ...chunk, ...png.subarray(end)]);
}

/** The text under a keyword; undefined where the picture has none. */
export function textOf(png: Uint8Array, keyword: string): string | undefined {
  for (let at = SIGNATURE_BYTES; at < png.length; at += CHUNK_OVERHEAD_BYTES + lengthAt(png, at)) {
    const [type, data] = [png.subarray(at + 4, at + 8), png.subarray(at + 8, at + 8 + lengthAt(png, at))];
    const [name, text] = LATIN1.decode(data).split("\0");
    if (LATIN1.decode(type) === "tEXt" && name === keyword) return text;
  }
  return undefined;
}

function lengthAt(png: Uint8Array, at: number): number {
  return new DataView(png.buffer, png.byteOffset).getUint32(at);
}
