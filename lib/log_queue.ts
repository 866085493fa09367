/**
 * Standard error without waiting for whoever reads it: a pipe that nobody empties must not stop the exporter. What
 * does not fit in a bounded queue is dropped and counted.
 *
 * @module
 */

/** Characters that may wait to be written. */
const MAX_WAITING = 262_144;
const ENCODER = new TextEncoder();

/** Options of {@linkcode LogQueue}. */
export interface LogQueueOptions {
  /** Writes some of the bytes, and returns how many. @default standard error */
  write?: (bytes: Uint8Array) => Promise<number>;
}

/** Writes texts in order, without waiting. */
export class LogQueue {
  readonly #write: (bytes: Uint8Array) => Promise<number>;
  #waiting = "";
  #dropped = 0;
  #writing: Promise<void> | undefined;

  /** Sets it up; nothing runs yet. */
  constructor({ write = (bytes) => Deno.stderr.write(bytes) }: LogQueueOptions = {}) {
    this.#write = write;
  }

  /** Takes a line. */
  push(line: string): void {
    if (this.#waiting.length + line.length > MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting += line;
    this.#writing ??= this.#drain();
  }

  /** Waits until everything is written, that long at most. */
  async flush(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([this.#writing, promise]);
    clearTimeout(timer);
  }

  async #drain(): Promise<void> {
    while (this.#waiting !== "") {
      const note = this.#dropped > 0 ? `level=warn msg="log lines dropped" dropped=${this.#dropped}\n` : "";
      const bytes = ENCODER.encode(this.#waiting + note);
      this.#waiting = "";
      this.#dropped = 0;
      try {
        for (let at = 0; at < bytes.length;) at += await this.#write(bytes.subarray(at));
      } catch (error) {
        // Nobody reads the log any more (EPIPE), or its disk is full: measuring goes on.
        if (!(error instanceof Error)) throw error;
      }
    }
    // Here and not a moment later: a line that comes meanwhile would wait for the next one.
    this.#writing = undefined;
  }
}

let queue: LogQueue | undefined;

/** Writes to standard error without waiting. */
export function writeToStderr(line: string): void {
  (queue ??= new LogQueue()).push(line);
}

/** Waits until standard error has taken what was written, 200 ms at most: before the process ends. */
export async function flushStderr(): Promise<void> {
  await queue?.flush(200);
}
