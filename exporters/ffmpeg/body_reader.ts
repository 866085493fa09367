/**
 * Reads bodies at a pace that leaves the process time for others, whatever a client sends.
 *
 * @module
 */
import type { OnChunk } from "../../lib/http/message.ts";

/** Bytes read without a pause, far above what any encode reports within a pause. */
const BURST_BYTES = 65_536;
/** Pause after each burst, in milliseconds: at most 6 MB a second are read of one client. */
const PAUSE_MS = 10;

/** Hands chunks on, and makes the reader wait after a burst that came fast. */
export function paced(onChunk: (chunk: Uint8Array) => void): OnChunk {
  let burst = 0;
  let endMs = 0;
  return (chunk) => {
    onChunk(chunk);
    burst += chunk.byteLength;
    if (burst < BURST_BYTES) return;
    burst = 0;
    const isEarly = performance.now() < endMs;
    endMs = performance.now() + PAUSE_MS;
    if (isEarly) return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  };
}
