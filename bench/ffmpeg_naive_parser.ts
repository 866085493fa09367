/**
 * The straightforward way to read ffmpeg's reports, to compare with: text is collected up to the end of a block,
 * and one regular expression per field finds its value.
 *
 * @module
 */

const FIELDS = {
  frames: /^frame=\s*(\d+)/m,
  averageFps: /^fps=\s*([\d.]+)/m,
  quantizer: /^stream_0_0_q=\s*(-?[\d.]+)/m,
  averageBytesPerSecond: /^bitrate=\s*([\d.]+)kbits\/s/m,
  outputBytes: /^total_size=\s*(\d+)/m,
  mediaSeconds: /^out_time_us=\s*(-?\d+)/m,
  duplicatedFrames: /^dup_frames=\s*(\d+)/m,
  droppedFrames: /^drop_frames=\s*(\d+)/m,
  averageSpeed: /^speed=\s*([\d.]+)x/m,
  progress: /^progress=(\w+)/m,
} as const;

/** Reads one encode's reports. */
export class NaiveParser {
  readonly #onBlock: (block: Record<string, number | string>) => void;
  readonly #decoder = new TextDecoder();
  #text = "";

  /** `onBlock` takes each block's values. */
  constructor(onBlock: (block: Record<string, number | string>) => void) {
    this.#onBlock = onBlock;
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    this.#text += this.#decoder.decode(chunk, { stream: true });
    while (true) {
      const end = /^progress=\w+\n/m.exec(this.#text);
      if (!end) return;
      const length = end.index + end[0].length;
      const text = this.#text.slice(0, length);
      this.#text = this.#text.slice(length);
      const block: Record<string, number | string> = {};
      for (const [name, pattern] of Object.entries(FIELDS)) {
        const value = pattern.exec(text)?.[1];
        if (value !== undefined) block[name] = name === "progress" ? value : Number(value);
      }
      this.#onBlock(block);
    }
  }
}
