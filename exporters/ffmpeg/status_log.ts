/**
 * Follows the status lines of an ffmpeg log, and notices which of them is the last one.
 *
 * @module
 */
import { parseLogLine, parseSummary } from "./log_line.ts";
import { emptyBlock, type ProgressBlock } from "./progress_block.ts";

/** What a {@linkcode StatusLog} reports. */
export interface StatusLogOptions {
  /** Takes each status line. */
  readonly onBlock: (block: ProgressBlock) => void;
  /** Called for each value that should be readable and is not. */
  readonly onError: () => void;
}

/** Reads one encode's log, line by line. */
export class StatusLog {
  readonly #onBlock: (block: ProgressBlock) => void;
  readonly #onError: () => void;
  /** Whether the encode is over; undefined before its first status line. */
  #isEnded: boolean | undefined;
  /** Whether the next status line is the last one. */
  #isStatusLast = false;

  constructor({ onBlock, onError }: StatusLogOptions) {
    this.#onBlock = onBlock;
    this.#onError = onError;
  }

  /** Takes a line; returns whether it was a status line. */
  read(line: string): boolean {
    const block = parseLogLine(line, this.#onError);
    if (!block) {
      this.#summary(line);
      return false;
    }
    const isFinal = block.final || this.#isStatusLast;
    this.#isStatusLast = false;
    this.#isEnded = isFinal;
    this.#onBlock(isFinal ? { ...block, final: true } : block);
    return true;
  }

  #summary(line: string): void {
    const place = parseSummary(line);
    if (place === "before") this.#isStatusLast = true;
    if (place !== "after" || this.#isEnded !== false) return;
    this.#isEnded = true;
    this.#onBlock({ ...emptyBlock(), final: true });
  }
}
