/**
 * Reads a request's body to its end, whatever comes: ffmpeg blocks for good if nobody reads, and a flood must
 * not keep the process from answering others.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";

/** Reads a body to its end and hands on each chunk, which is valid only during the call. It never fails. */
export type ReadBody = (onChunk: (chunk: Uint8Array) => void) => Promise<void>;

/** A report of ffmpeg has a few hundred bytes. The buffer grows for a client that sends more at once. */
const LEAST_BUFFER_BYTES = 2048;
const MOST_BUFFER_BYTES = 65_536;
/** Bytes read without a pause, far above what any encode reports within a pause. */
const BURST_BYTES = 65_536;
/** Pause after each burst, in milliseconds: at most 6 MB a second are read of one client. */
const PAUSE_MS = 10;

/** Reads the body of a request of node:http: without the streams of fetch, it takes a third of the memory. */
export function messageBody(message: IncomingMessage): ReadBody {
  return (onChunk) => {
    const pace = createPace();
    return new Promise((resolve) => {
      message.on("data", (chunk: Uint8Array) => {
        onChunk(chunk);
        if (!pace(chunk.byteLength)) return;
        message.pause();
        setTimeout(() => message.resume(), PAUSE_MS);
      });
      // A connection that breaks is an end like any other; "close" follows it.
      message.on("error", () => resolve());
      message.once("end", resolve);
      message.once("close", resolve);
    });
  };
}

/** Reads the body of a request of fetch. */
export function streamBody(body: ReadableStream<Uint8Array> | null): ReadBody {
  return async (onChunk) => {
    if (!body) return;
    const pace = createPace();
    try {
      for await (const chunk of chunksOf(body)) {
        onChunk(chunk);
        if (pace(chunk.byteLength)) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      if (!isBrokenConnection(error)) throw error;
    }
  };
}

/** The chunks of a body. The default reader takes 64 KiB for each read that waits: too much for many jobs. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = byteReaderOf(body);
  if (!reader) return yield* body;
  let buffer = new Uint8Array(LEAST_BUFFER_BYTES);
  while (true) {
    const { done, value } = await reader.read(buffer);
    if (done) return;
    const size = value.buffer.byteLength;
    const isFull = value.byteLength === size && size < MOST_BUFFER_BYTES;
    yield value;
    buffer = isFull ? new Uint8Array(size * 2) : new Uint8Array(value.buffer);
  }
}

/** A reader into buffers of our own; undefined where the body is no stream of bytes, as those made of text. */
function byteReaderOf(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch (error) {
    if (error instanceof TypeError && !body.locked) return undefined;
    throw error;
  }
}

/** Returns a function that is told of bytes read and says whether it is time for a pause. */
function createPace(): (bytes: number) => boolean {
  let burst = 0;
  let endMs = 0;
  return (bytes) => {
    burst += bytes;
    if (burst < BURST_BYTES) return false;
    burst = 0;
    const isEarly = performance.now() < endMs;
    endMs = performance.now() + PAUSE_MS;
    return isEarly;
  };
}

/** Deno reports a connection that was cut with errors of several classes, none of them of our own making. */
function isBrokenConnection(error: unknown): boolean {
  return error instanceof TypeError || error instanceof Deno.errors.Http ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    (error instanceof Error && /body|connection/i.test(error.message));
}
