/**
 * Cuts text that arrives in chunks of any size into lines of bounded length.
 *
 * ffmpeg ends the lines of `-progress` with a line feed and those of its log with a carriage return.
 *
 * @module
 */

/** Longest line that is kept, in characters; ffmpeg's own are below 200, except its `configuration:` line. */
export const MAX_LINE_LENGTH = 4096;

/** What a {@linkcode LineSplitter} tells. */
export interface LineSplitterOptions {
  /** Takes each line, as the part of a text from `start` to before `end`; empty lines are left out. */
  readonly onLine: (text: string, start: number, end: number) => void;
  /** Told once of each line that was longer than {@linkcode MAX_LINE_LENGTH}, which is dropped. */
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
    const text = this.#rest === "" ? chunk : this.#rest + chunk;
    let start = 0;
    let lineFeed = text.indexOf("\n");
    let carriageReturn = text.indexOf("\r");
    while (lineFeed >= 0 || carriageReturn >= 0) {
      const end = carriageReturn < 0 || (lineFeed >= 0 && lineFeed < carriageReturn)
        ? lineFeed
        : carriageReturn;
      this.#take(text, start, end);
      start = end + 1;
      if (end === lineFeed) lineFeed = text.indexOf("\n", start);
      else carriageReturn = text.indexOf("\r", start);
    }
    this.#keep(text.slice(start));
  }

  /** The input has ended: what is left counts as a line. */
  end(): void {
    const rest = this.#rest;
    this.#rest = "";
    this.#take(rest, 0, rest.length);
  }

  #take(text: string, start: number, end: number): void {
    if (this.#dropping) {
      this.#dropping = false;
      return;
    }
    if (end - start > MAX_LINE_LENGTH) this.#onOverlong();
    else if (end > start) this.#onLine(text, start, end);
  }

  #keep(rest: string): void {
    if (!this.#dropping && rest.length > MAX_LINE_LENGTH) {
      this.#dropping = true;
      this.#onOverlong();
    }
    this.#rest = this.#dropping ? "" : rest;
  }
}
