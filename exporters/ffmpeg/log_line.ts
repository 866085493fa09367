/**
 * Reads the status lines that ffmpeg writes to its log, old and new:
 * `frame=   30 fps=0.0 q=-1.0 Lsize=      14kB time=00:00:00.90 bitrate= 128.7kbits/s speed=21.2x`.
 *
 * Written by `print_report` in fftools/ffmpeg.c: https://ffmpeg.org/ffmpeg.html#Main-options (`-stats`).
 *
 * @module
 */
import {
  emptyBlock,
  MAX_QUANTIZERS,
  parseBitrate,
  parseClock,
  parseNumber,
  parseSpeed,
  type ProgressBlock,
} from "./progress_block.ts";

// The last line has an L after the first video stream's values, before whatever comes next (`Lsize=`, `Lq=`).
const PAIR_REGEXP = /(L?)([a-z]+)=\s*([^\s=]+)/g;
const SUMMARY_REGEXP = /^(\[out#\S+ @ \w+\] )?video:\S+ audio:\S+ .*muxing overhead/;
const SIZE_REGEXP = /^(\d+)(B|kB|KiB)$/;

/**
 * Reads the values of a status line of ffmpeg's log; undefined if it is no status line.
 * `onError` is called for each known value that cannot be read.
 */
export function parseLogLine(line: string, onError: () => void): ProgressBlock | undefined {
  if (!line.includes("time=") || !line.includes("bitrate=")) return undefined;
  const block = emptyBlock();
  const read = <T>(text: string, parse: (text: string) => T | undefined): T | undefined => {
    if (text === "N/A") return undefined;
    const value = parse(text);
    if (value === undefined) onError();
    return value;
  };
  for (const [, mark, key, text = ""] of line.matchAll(PAIR_REGEXP)) {
    if (mark) block.final = true;
    switch (key) {
      case "frame":
        block.frames = read(text, parseNumber);
        break;
      case "fps":
        block.averageFps = read(text, parseNumber);
        block.fpsRounding = text.includes(".") ? 0.05 : 0.5;
        break;
      case "q": {
        // The line does not name which output and stream each quantizer belongs to.
        const quantizer = read(text, parseNumber);
        if (quantizer !== undefined && block.quantizers.length < MAX_QUANTIZERS) {
          block.quantizers.push({ output: "", stream: `v${block.quantizers.length}`, quantizer });
        }
        break;
      }
      case "size":
        block.outputBytes = read(text, parseSize);
        break;
      case "time":
        block.mediaSeconds = read(text, parseClock);
        break;
      case "bitrate":
        block.averageBytesPerSecond = read(text, parseBitrate);
        break;
      case "dup":
        block.duplicatedFrames = read(text, parseNumber);
        break;
      case "drop":
        block.droppedFrames = read(text, parseNumber);
        break;
      case "speed":
        block.averageSpeed = read(text, parseSpeed);
        break;
      case "elapsed":
        block.encodingSeconds = read(text, parseClock);
        break;
    }
  }
  return block;
}

/**
 * Whether a line sums up an encode, and where that stands: after the last status line, or, from version 7 on,
 * before it. Without video, nothing else in the log marks the end.
 */
export function parseSummary(line: string): "after" | "before" | undefined {
  const match = SUMMARY_REGEXP.exec(line);
  return match ? match[1] ? "before" : "after" : undefined;
}

function parseSize(text: string): number | undefined {
  const [, amount, unit] = SIZE_REGEXP.exec(text) ?? [];
  const value = parseNumber(amount ?? "");
  // ffmpeg divides by 1024 and wrote "kB" until version 7.
  return value === undefined ? undefined : unit === "B" ? value : value * 1024;
}
