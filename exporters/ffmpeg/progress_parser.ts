/**
 * Reads what ffmpeg reports of an encode, byte by byte or in chunks of any size: the blocks of `key=value`
 * lines that `-progress` writes, each closed by `progress=continue` or `progress=end`, and the status lines of
 * its log.
 *
 * https://ffmpeg.org/ffmpeg.html#Main-options (`-progress`); the keys are those of `print_report` in
 * fftools/ffmpeg.c.
 *
 * @module
 */
import { LineSplitter } from "./line_splitter.ts";
import { parseBitrate, parseLogLine, parseSpeed, parseSummary } from "./log_line.ts";
import {
  MAX_QUANTIZERS,
  type MutableProgressBlock,
  parseClock,
  parseNumber,
  type ProgressBlock,
} from "./progress_block.ts";

/** What a {@linkcode ProgressParser} tells. */
export interface ProgressParserOptions {
  /** Takes each block as soon as it is complete. */
  readonly onBlock: (block: ProgressBlock) => void;
  /** Told of each value or line that should be readable and is not. */
  readonly onError: () => void;
  /**
   * Whether the input begins somewhere within a block, which is dropped.
   * @default {false}
   */
  readonly midStream?: boolean;
}

// One byte is one character: no chunk border can fall within one, and no byte is invalid.
const DECODER = new TextDecoder("latin1");
const STREAM_QUANTIZER_REGEXP = /^stream_(\d{1,4})_(\d{1,4})_q$/;

/** Reads one encode's reports. Memory is bounded by one line and one block. */
export class ProgressParser {
  readonly #onBlock: (block: ProgressBlock) => void;
  readonly #onError: () => void;
  readonly #lines: LineSplitter;
  #block = emptyBlock();
  #midBlock: boolean;
  /** Whether the log has said that the encode is over; undefined before its first status line. */
  #isEnded: boolean | undefined;
  /** Whether the next status line of the log is the last one. */
  #isStatusLast = false;

  constructor({ onBlock, onError, midStream = false }: ProgressParserOptions) {
    this.#onBlock = onBlock;
    this.#onError = onError;
    this.#midBlock = midStream;
    this.#lines = new LineSplitter({ onLine: (line) => this.#line(line), onOverlong: onError }, midStream);
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    this.#lines.push(DECODER.decode(chunk));
  }

  /** The input has ended; a block that was not closed is dropped. */
  end(): void {
    this.#lines.end();
    this.#block = emptyBlock();
  }

  #line(line: string): void {
    const equals = line.indexOf("=");
    if (equals < 0) return this.#summary(line);
    if (line.indexOf("=", equals + 1) >= 0) return this.#status(line);
    const key = line.slice(0, equals);
    const text = line.slice(equals + 1).trim();
    if (key === "progress") this.#close(text);
    else if (text !== "N/A") this.#assign(key, text);
  }

  #status(line: string): void {
    const block = parseLogLine(line, this.#onError);
    if (!block) return;
    const isFinal = block.final || this.#isStatusLast;
    this.#isStatusLast = false;
    this.#isEnded = isFinal;
    this.#onBlock(isFinal ? { ...block, final: true } : block);
  }

  #summary(line: string): void {
    const place = this.#isEnded === false ? parseSummary(line) : undefined;
    if (place === "before") this.#isStatusLast = true;
    if (place !== "after") return;
    this.#isEnded = true;
    this.#onBlock({ ...emptyBlock(), final: true });
  }

  #close(text: string): void {
    const block = this.#block;
    this.#block = emptyBlock();
    if (this.#midBlock) {
      this.#midBlock = false;
      // Its counters may be missing, but that it is the last one is known.
      if (text !== "end") return;
    }
    if (text === "end") block.final = true;
    else if (text !== "continue") return this.#onError();
    this.#onBlock(block);
  }

  #assign(key: string, text: string): void {
    const block = this.#block;
    switch (key) {
      case "frame":
        block.frames = this.#read(text, parseNumber);
        break;
      case "fps":
        block.averageFps = this.#read(text, parseNumber);
        break;
      case "total_size":
        block.outputBytes = this.#read(text, parseNumber);
        break;
      case "out_time_us":
      case "out_time_ms": // Microseconds too, in spite of its name.
        block.mediaSeconds = this.#read(text, parseMicroseconds);
        break;
      case "out_time":
        block.mediaSeconds ??= this.#read(text, parseClock);
        break;
      case "dup_frames":
        block.duplicatedFrames = this.#read(text, parseNumber);
        break;
      case "drop_frames":
        block.droppedFrames = this.#read(text, parseNumber);
        break;
      case "bitrate":
        block.averageBytesPerSecond = this.#read(text, parseBitrate);
        break;
      case "speed":
        block.averageSpeed = this.#read(text, parseSpeed);
        break;
      default:
        if (key.startsWith("stream_")) this.#quantizer(key, text);
    }
  }

  #quantizer(key: string, text: string): void {
    const [, output, stream] = STREAM_QUANTIZER_REGEXP.exec(key) ?? [];
    if (output === undefined || stream === undefined) return;
    const quantizer = this.#read(text, parseNumber);
    const { quantizers } = this.#block;
    if (quantizer === undefined || quantizers.length >= MAX_QUANTIZERS) return;
    const read = { output: String(Number(output)), stream: String(Number(stream)), quantizer };
    // Nothing but ffmpeg's word says that a stream comes once a block.
    if (quantizers.some((other) => other.output === read.output && other.stream === read.stream)) return;
    quantizers.push(read);
  }

  #read(text: string, parse: (text: string) => number | undefined): number | undefined {
    const value = parse(text);
    if (value === undefined) this.#onError();
    return value;
  }
}

function emptyBlock(): MutableProgressBlock {
  return { final: false, quantizers: [] };
}

function parseMicroseconds(text: string): number | undefined {
  const value = parseNumber(text);
  return value === undefined ? undefined : value / 1e6;
}
