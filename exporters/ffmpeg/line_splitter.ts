/**
 * Cuts text that arrives in chunks of any size into lines of bounded length.
 *
 * ffmpeg ends the lines of `-progress` with a line feed and those of its log with a carriage return.
 *
 * @module
 */

/** Longest line that is kept, in characters; ffmpeg's own are below 200, except its `configuration:` line. */
export const MAX_LINE_LENGTH = 4096;
const LINE_END_REGEXP = /[\n\r]+/;

/** Options of {@linkcode LineSplitter}. */
export interface LineSplitterOptions {
  /** Takes each line that is not empty. */
  readonly onLine: (line: string) => void;
  /** Called once for each line longer than {@linkcode MAX_LINE_LENGTH}, which is dropped. */
  readonly onOverlong: () => void;
}

/** Cuts text into lines; at most one line is held in memory. */
export class LineSplitter {
  readonly #onLine: LineSplitterOptions["onLine"];
  readonly #onOverlong: () => void;
  #rest = "";
  #dropping: boolean;

  /** `midLine`: the text begins somewhere within a line, which is dropped. */
  constructor({ onLine, onOverlong }: LineSplitterOptions, midLine = false) {
    this.#onLine = onLine;
    this.#onOverlong = onOverlong;
    this.#dropping = midLine;
  }

  /** Takes the next chunk. */
  push(chunk: string): void {
    const lines = (this.#rest + chunk).split(LINE_END_REGEXP);
    const rest = lines.pop() ?? "";
    for (const line of lines) this.#take(line);
    this.#keep(rest);
  }

  /** The input has ended: what is left counts as a line. */
  end(): void {
    const rest = this.#rest;
    this.#rest = "";
    this.#take(rest);
  }

  #take(line: string): void {
    if (this.#dropping) {
      this.#dropping = false;
      return;
    }
    if (line.length > MAX_LINE_LENGTH) this.#onOverlong();
    else if (line !== "") this.#onLine(line);
  }

  #keep(rest: string): void {
    if (!this.#dropping && rest.length > MAX_LINE_LENGTH) {
      this.#dropping = true;
      this.#onOverlong();
    }
    this.#rest = this.#dropping ? "" : rest;
  }
}
