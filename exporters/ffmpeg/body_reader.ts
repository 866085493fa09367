/**
 * Reads a request's body to its end, whatever comes: ffmpeg blocks for good if nobody reads, and a flood must
 * not keep the process from answering others.
 *
 * @module
 */

/** A report of ffmpeg has some 300 bytes. The buffer grows for a client that sends more at once. */
const LEAST_BUFFER_BYTES = 512;
const MOST_BUFFER_BYTES = 65_536;
/** Bytes read without a pause, far above what any encode reports within a pause. */
const BURST_BYTES = 65_536;
/** Pause after each burst, in milliseconds: at most 6 MB a second are read of one client. */
const PAUSE_MS = 10;

/**
 * Reads a body and hands on each chunk, which is valid only during the call. A connection that breaks is an end
 * like any other: ffmpeg closes its own without ending the body.
 */
export async function readBody(
  body: ReadableStream<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
): Promise<void> {
  // The default reader takes 64 KiB for each read that waits, a thousand times for a thousand jobs.
  const reader = body.getReader({ mode: "byob" });
  let buffer = new Uint8Array(LEAST_BUFFER_BYTES);
  let burst = 0;
  let burstEndMs = 0;
  try {
    while (true) {
      const { done, value } = await reader.read(buffer);
      if (done) return;
      onChunk(value);
      const isFull = value.byteLength === value.buffer.byteLength;
      buffer = isFull && value.byteLength < MOST_BUFFER_BYTES
        ? new Uint8Array(value.byteLength * 2)
        : new Uint8Array(value.buffer);
      burst += value.byteLength;
      if (burst < BURST_BYTES) continue;
      if (performance.now() < burstEndMs) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      burstEndMs = performance.now() + PAUSE_MS;
      burst = 0;
    }
  } catch (error) {
    if (!isBrokenConnection(error)) throw error;
  }
}

/** Deno reports a connection that was cut with errors of several classes, none of them of our own making. */
function isBrokenConnection(error: unknown): boolean {
  return error instanceof TypeError || error instanceof Deno.errors.Http ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    (error instanceof Error && /body|connection/i.test(error.message));
}
