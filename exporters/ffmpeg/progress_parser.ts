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
  type Quantizer,
} from "./progress_block.ts";
import type { Report } from "./report.ts";
import { StatusLog } from "./status_log.ts";

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
  /** Takes what the text around the status lines of a log shows; without it, that text is ignored. */
  readonly report?: Report;
}

const SPACE = 32;
// One byte is one character: no chunk border can fall within one, and no byte is invalid.
const DECODER = new TextDecoder("latin1");

/** A key of `-progress` and what it means. */
interface Field {
  readonly key: string;
  readonly name: Exclude<keyof ProgressBlock, "quantizers" | "final">;
  readonly parse: (text: string, from: number, to: number) => number | undefined;
}

// The last three say the same; out_time_ms has microseconds too, in spite of its name.
const FIELDS: readonly Field[] = [
  { key: "frame", name: "frames", parse: parseNumber },
  { key: "fps", name: "averageFps", parse: parseNumber },
  { key: "total_size", name: "outputBytes", parse: parseNumber },
  { key: "dup_frames", name: "duplicatedFrames", parse: parseNumber },
  { key: "drop_frames", name: "droppedFrames", parse: parseNumber },
  { key: "bitrate", name: "averageBytesPerSecond", parse: parseBitrate },
  { key: "speed", name: "averageSpeed", parse: parseSpeed },
  { key: "out_time_us", name: "mediaSeconds", parse: parseMicroseconds },
  { key: "out_time_ms", name: "mediaSeconds", parse: parseMicroseconds },
  { key: "out_time", name: "mediaSeconds", parse: parseClock },
];
const FIELDS_BY_KEY_LENGTH = Map.groupBy(FIELDS, ({ key }) => key.length);
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
      onLine: (text, start, end) => this.#line(text, start, end),
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

  #line(text: string, start: number, end: number): void {
    const equals = text.indexOf("=", start);
    if (equals < 0 || equals >= end) return this.#text(text.slice(start, end));
    const next = text.indexOf("=", equals + 1);
    if (next >= 0 && next < end) return this.#text(text.slice(start, end));
    while (text.charCodeAt(end - 1) === SPACE) end--;
    if (text.startsWith("progress=", start)) this.#close(text.slice(equals + 1, end));
    else if (text.startsWith("stream_", start)) this.#quantizer(text, start, equals, end);
    else this.#assign(text, start, equals, end);
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

  #assign(text: string, start: number, equals: number, end: number): void {
    for (const { key, name, parse } of FIELDS_BY_KEY_LENGTH.get(equals - start) ?? []) {
      if (!text.startsWith(key, start)) continue;
      this.#block[name] ??= this.#read(text, equals + 1, end, parse);
      return;
    }
    // A sentence that has a "=" in it.
    if (text.lastIndexOf(" ", equals) >= start) this.#text(text.slice(start, end));
  }

  #quantizer(text: string, start: number, equals: number, end: number): void {
    const place = streamOf(text.slice(start, equals));
    if (!place) return;
    const quantizer = this.#read(text, equals + 1, end, parseNumber);
    const { quantizers } = this.#block;
    if (quantizer === undefined || quantizers.length >= MAX_QUANTIZERS) return;
    // Nothing but ffmpeg's word says that a stream comes once a block.
    if (quantizers.some(({ output, stream }) => output === place.output && stream === place.stream)) return;
    quantizers.push({ ...place, quantizer });
  }

  #read(text: string, from: number, to: number, parse: Field["parse"]): number | undefined {
    if (text.endsWith("N/A", to)) return undefined;
    const value = parse(text, from, to);
    if (value === undefined) this.#onError();
    return value;
  }
}

/** What the keys of quantizers mean, remembered: most jobs have the same few. */
const streams = new Map<string, Omit<Quantizer, "quantizer"> | undefined>();
const MAX_STREAMS = 256;

function streamOf(key: string): Omit<Quantizer, "quantizer"> | undefined {
  if (streams.has(key)) return streams.get(key);
  const [, output, stream] = STREAM_QUANTIZER_REGEXP.exec(key) ?? [];
  const place = output === undefined || stream === undefined
    ? undefined
    : { output: String(Number(output)), stream: String(Number(stream)) };
  if (streams.size < MAX_STREAMS) streams.set(key, place);
  return place;
}

function parseMicroseconds(text: string, from: number, to: number): number | undefined {
  const value = parseNumber(text, from, to);
  return value === undefined ? undefined : value / 1e6;
}
