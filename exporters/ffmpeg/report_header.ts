/**
 * Reads what an ffmpeg log shows of an encode before its first status line: inputs, stream mapping, outputs.
 *
 * Written by `av_dump_format` (libavformat/dump.c) and `print_stream_maps` (fftools/ffmpeg.c), 4.3 to 9.0.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { cleanText } from "./job_description.ts";
import { parseClock } from "./progress_block.ts";

/** What a log shows of an encode; what it does not show is undefined. */
export interface ReportedEncode {
  /** Encoder of the video, or of the first stream without any; `copy`; several differing ones joined by `+`. */
  readonly encoder: string | undefined;
  /** Size of the first output's first video stream, in pixels. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** Frames per second of that stream. */
  readonly framerate: number | undefined;
  /** Length of the whole output, in seconds; undefined for live input, and where an option changes it. */
  readonly durationSeconds: number | undefined;
}

/** Most streams that are remembered. */
const MAX_STREAMS = 64;
const INPUT_REGEXP = /^Input #\d+, /;
const OUTPUT_REGEXP = /^Output #\d+, /;
const DURATION_REGEXP = /^ {2}Duration: (\S+), /;
const STREAM_REGEXP = /^ {2,4}Stream #(\d+:\d+)[^ ]*: (Video|Audio|Subtitle|Data|Attachment): (.*)$/;
const MAPPING_REGEXP = /-> (?:Stream )?#(\d+:\d+)(?:\[[^\]]*\])?(?: \[[^\]]*\])? \((.+)\)$/;
const MAPPED_INPUT_REGEXP = /^ {2}Stream #(\d+:\d+) -> /;
const SIZE_REGEXP = /, (\d{1,5})x(\d{1,5})(?=[ ,]|$)/;
const FRAMERATE_REGEXP = /, (\d+(?:\.\d+)?)(k?) fps/;
const ENCODER_REGEXP = /(?:^|-> )(\S+) \(([^()]+)\)$/;

interface Mapped {
  readonly output: string;
  readonly encoder: string;
  readonly input: string | undefined;
}

/** Reads one header. */
export class ReportHeader {
  #section: "none" | "input" | "mapping" | "output" = "none";
  readonly #types = { input: new Map<string, string>(), output: new Map<string, string>() };
  readonly #mapped: Mapped[] = [];
  /** Duration of the longest input, in seconds. */
  #longest = 0;
  #video: string | undefined;

  /** Whether it has shown that something is encoded or copied. */
  get isEncode(): boolean {
    return this.#section === "output" || this.#mapped.length > 0;
  }

  /** Takes a line; returns whether it belongs to the header. */
  read(line: string): boolean {
    if (line.startsWith("Stream mapping:")) this.#section = "mapping";
    else if (INPUT_REGEXP.test(line)) this.#section = "input";
    else if (OUTPUT_REGEXP.test(line)) this.#section = "output";
    else if (!line.startsWith("  ")) return false;
    else if (this.#section === "mapping") this.#mapping(line);
    else if (this.#section !== "none") this.#stream(line, this.#section);
    return true;
  }

  /** What has been read so far. */
  encode(command: Command | undefined): ReportedEncode {
    const [, width, height] = SIZE_REGEXP.exec(this.#video ?? "") ?? [];
    const [, rate, thousands] = FRAMERATE_REGEXP.exec(this.#video ?? "") ?? [];
    return {
      encoder: this.#encoder(),
      width: width === undefined ? undefined : Number(width),
      height: height === undefined ? undefined : Number(height),
      framerate: rate === undefined ? undefined : Number(rate) * (thousands ? 1000 : 1),
      durationSeconds: this.#duration(command),
    };
  }

  #stream(line: string, section: "input" | "output"): void {
    const duration = DURATION_REGEXP.exec(line)?.[1];
    if (section === "input" && duration) {
      // N/A: a live or generated input, without an end of its own.
      this.#longest = Math.max(this.#longest, parseClock(duration) ?? Infinity);
      return;
    }
    const [, index, type = "", text = ""] = STREAM_REGEXP.exec(line) ?? [];
    const types = this.#types[section];
    if (index === undefined || types.size >= MAX_STREAMS) return;
    const isPicture = text.endsWith("(attached pic)");
    types.set(index, isPicture ? "Picture" : type);
    if (section === "output" && type === "Video" && !isPicture) this.#video ??= text;
  }

  #mapping(line: string): void {
    const [, output, text = ""] = MAPPING_REGEXP.exec(line) ?? [];
    if (output === undefined || this.#mapped.length >= MAX_STREAMS) return;
    const [, codec, name] = ENCODER_REGEXP.exec(text) ?? [];
    const encoder = name === "native" ? codec : name ?? text;
    if (encoder) this.#mapped.push({ output, encoder, input: MAPPED_INPUT_REGEXP.exec(line)?.[1] });
  }

  #encoder(): string | undefined {
    const typeOf = ({ output, input }: Mapped): string | undefined =>
      this.#types.output.get(output) ?? this.#types.input.get(input ?? "");
    // A stream out of a filter has a type only once its output is shown.
    const videos = this.#mapped.filter((stream) => (typeOf(stream) ?? "Video") === "Video");
    const streams = videos.length > 0 ? videos : this.#mapped.slice(0, 1);
    const names = [...new Set(streams.map(({ encoder }) => encoder))];
    return names.length > 0 ? cleanText(names.join("+")) : undefined;
  }

  #duration(command: Command | undefined): number | undefined {
    if (!command?.cut) return undefined;
    const { from, longest } = command.cut;
    const seconds = Math.min(this.#longest - from, longest);
    return seconds > 0 && Number.isFinite(seconds) ? seconds : undefined;
  }
}
