/**
 * Reads a request's body to its end, whatever comes: ffmpeg blocks for good if nobody reads, and a flood must
 * not keep the process from answering others.
 *
 * @module
 */

/** Bytes read without a pause, far above what any encode reports within a pause. */
const BURST_BYTES = 65_536;
/** Pause after each burst, in milliseconds: at most 6 MB a second are read of one client. */
const PAUSE_MS = 10;

/** The body of a request, of whatever server. */
export type Body = AsyncIterable<Uint8Array>;

/**
 * Reads a body to its end and hands on each chunk, which is valid only during the call. A connection that breaks
 * is an end like any other.
 */
export async function readBody(body: Body | null, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  const chunks = body?.[Symbol.asyncIterator]();
  if (!chunks) return;
  let burst = 0;
  let endMs = 0;
  while (true) {
    const chunk = await nextChunk(chunks);
    if (!chunk) return;
    onChunk(chunk);
    burst += chunk.byteLength;
    if (burst < BURST_BYTES) continue;
    burst = 0;
    if (performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    endMs = performance.now() + PAUSE_MS;
  }
}

async function nextChunk(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    const { done, value } = await chunks.next();
    return done ? undefined : value;
  } catch {
    // Servers report a broken connection with errors of several classes, and a body fails in no other way.
    return undefined;
  }
}
