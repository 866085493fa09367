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
import {
  emptyBlock,
  MAX_QUANTIZERS,
  parseBitrate,
  parseClock,
  parseNumber,
  parseSpeed,
  type ProgressBlock,
} from "./progress_block.ts";
import type { Report } from "./report.ts";
import { StatusLog } from "./status_log.ts";

/** Options of {@linkcode ProgressParser}. */
export interface ProgressParserOptions {
  /** Takes each block as soon as it is complete. */
  readonly onBlock: (block: ProgressBlock) => void;
  /** Called for each value or line that should be readable and is not. */
  readonly onError: () => void;
  /**
   * Whether the input begins somewhere within a block, which is dropped.
   * @default {false}
   */
  readonly midStream?: boolean;
  /** Takes what the text around the status lines of a log shows; without it, that text is ignored. */
  readonly report?: Report;
}

// One byte is one character: no chunk border can fall within one, and no byte is invalid.
const DECODER = new TextDecoder("latin1");

/** What a key of `-progress` means. */
interface Field {
  readonly name: Exclude<keyof ProgressBlock, "quantizers" | "final" | "fpsRounding">;
  readonly parse: (text: string) => number | undefined;
}

// The last three mean the same; out_time_ms is in microseconds too, in spite of its name.
const FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ["frame", { name: "frames", parse: parseNumber }],
  ["fps", { name: "averageFps", parse: parseNumber }],
  ["total_size", { name: "outputBytes", parse: parseNumber }],
  ["dup_frames", { name: "duplicatedFrames", parse: parseNumber }],
  ["drop_frames", { name: "droppedFrames", parse: parseNumber }],
  ["bitrate", { name: "averageBytesPerSecond", parse: parseBitrate }],
  ["speed", { name: "averageSpeed", parse: parseSpeed }],
  ["out_time_us", { name: "mediaSeconds", parse: parseMicroseconds }],
  ["out_time_ms", { name: "mediaSeconds", parse: parseMicroseconds }],
  ["out_time", { name: "mediaSeconds", parse: parseClock }],
]);
const STREAM_QUANTIZER_REGEXP = /^stream_(\d{1,4})_(\d{1,4})_q$/;

/** Reads one encode's reports. Memory is bounded by one line and one block. */
export class ProgressParser {
  readonly #onBlock: (block: ProgressBlock) => void;
  readonly #onError: () => void;
  readonly #lines: LineSplitter;
  readonly #log: StatusLog;
  readonly #report: Report | undefined;
  #block = emptyBlock();
  #midBlock: boolean;

  constructor({ onBlock, onError, midStream = false, report }: ProgressParserOptions) {
    this.#onBlock = onBlock;
    this.#onError = onError;
    this.#midBlock = midStream;
    this.#report = report;
    this.#log = new StatusLog({
      onBlock: (block) => {
        this.#report?.block(block.final);
        onBlock(block);
      },
      onError,
    });
    this.#lines = new LineSplitter({
      onLine: (line) => this.#line(line),
      onOverlong: onError,
    }, midStream);
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    // A file that was truncated under its writer begins with a hole, which reads as zeros.
    const hole = chunk[0] === 0 ? chunk.findIndex((byte) => byte !== 0) : 0;
    if (hole >= 0) this.#lines.push(DECODER.decode(hole > 0 ? chunk.subarray(hole) : chunk));
  }

  /** The input has ended; a block that was not closed is dropped. */
  end(): void {
    this.#lines.end();
    this.#block = emptyBlock();
  }

  #line(line: string): void {
    const equals = line.indexOf("=");
    if (equals < 0 || line.includes("=", equals + 1)) return this.#text(line);
    const key = line.slice(0, equals);
    const value = line.slice(equals + 1).trimEnd();
    if (key === "progress") return this.#close(value);
    const field = FIELDS.get(key);
    if (field) this.#block[field.name] ??= this.#read(value, field.parse);
    else if (key.startsWith("stream_")) this.#quantizer(key, value);
    // A sentence that has a "=" in it.
    else if (key.includes(" ")) this.#text(line);
  }

  #text(line: string): void {
    if (this.#report?.isCommandNext || !this.#log.read(line)) this.#report?.read(line);
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

  #quantizer(key: string, text: string): void {
    const [, output, stream] = STREAM_QUANTIZER_REGEXP.exec(key) ?? [];
    if (output === undefined || stream === undefined) return;
    const quantizer = this.#read(text, parseNumber);
    const { quantizers } = this.#block;
    if (quantizer === undefined || quantizers.length >= MAX_QUANTIZERS) return;
    const place = { output: String(Number(output)), stream: String(Number(stream)) };
    // Nothing but ffmpeg's habit keeps a stream from coming twice in a block.
    if (quantizers.some((each) => each.output === place.output && each.stream === place.stream)) return;
    quantizers.push({ ...place, quantizer });
  }

  #read(text: string, parse: Field["parse"]): number | undefined {
    if (text.endsWith("N/A")) return undefined;
    const value = parse(text);
    if (value === undefined) this.#onError();
    return value;
  }
}

function parseMicroseconds(text: string): number | undefined {
  const value = parseNumber(text);
  return value === undefined ? undefined : value / 1e6;
}
