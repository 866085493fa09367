/**
 * Short encodes with the real ffmpeg, and their output by ffprobe.
 *
 * @module
 */

/** A generated picture of a few seconds, and a tone; read at the speed of playing where the test needs time. */
export function pictures(seconds: number, { realtime = false } = {}): string[] {
  return [
    ...(realtime ? ["-re"] : []),
    "-t",
    `${seconds}`,
    "-f",
    "lavfi",
    "-i",
    "testsrc=size=160x120:rate=25",
  ];
}

/** See {@linkcode pictures}. */
export function tone(seconds: number, { realtime = false } = {}): string[] {
  return [...(realtime ? ["-re"] : []), "-t", `${seconds}`, "-f", "lavfi", "-i", "sine"];
}

/** Encoders whose output is the same on every run. */
export const VIDEO = [
  "-c:v",
  "libx264",
  "-preset",
  "ultrafast",
  "-flags:v",
  "+bitexact",
  "-fflags",
  "+bitexact",
];
/** See {@linkcode VIDEO}. */
export const AUDIO = ["-c:a", "aac", "-flags:a", "+bitexact", "-fflags", "+bitexact"];

/** A running encode. */
export interface Encode {
  readonly child: Deno.ChildProcess;
  /** Resolves with the exit code; 128 and the signal's number after a signal. */
  readonly code: Promise<number>;
  /** What it wrote to standard error; only once it has ended. */
  readonly log: Promise<string>;
}

/** Options of {@linkcode startEncode}. */
export interface EncodeOptions {
  /** Words before `ffmpeg`. */
  readonly prefix?: readonly string[];
  readonly stdin?: "piped" | "null";
  readonly env?: Record<string, string>;
}

/** Starts ffmpeg, or another program that takes its place. */
export function startEncode(
  args: readonly string[],
  { prefix = [], stdin = "null", env = {} }: EncodeOptions = {},
): Encode {
  const [command = "", ...rest] = [...prefix, "ffmpeg", "-hide_banner", "-y", ...args];
  const child = new Deno.Command(command, { args: rest, stdin, stdout: "null", stderr: "piped", env })
    .spawn();
  const log = new Response(child.stderr).text();
  return { child, log, code: child.status.then(({ code }) => code) };
}

/** Runs ffmpeg to its end. */
export async function encode(args: readonly string[], options: EncodeOptions = {}): Promise<number> {
  const { code, log } = startEncode(args, options);
  await log;
  return await code;
}

/** What ffprobe counts in a file: the frames of its first video stream, and where its last packet ends. */
export async function probe(path: string): Promise<{ frames: number; endSeconds: number }> {
  const { stdout } = await new Deno.Command("ffprobe", {
    args: [
      "-v",
      "error",
      "-show_entries",
      "packet=codec_type,stream_index,pts_time,duration_time",
      "-of",
      "json",
      path,
    ],
  }).output();
  const { packets } = JSON.parse(new TextDecoder().decode(stdout)) as {
    packets: { codec_type: string; stream_index: number; pts_time: string; duration_time: string }[];
  };
  const video = packets.filter(({ codec_type }) => codec_type === "video");
  const first = Math.min(...video.map(({ stream_index }) => stream_index));
  return {
    frames: video.filter(({ stream_index }) => stream_index === first).length,
    endSeconds: Math.max(...packets.map((packet) => Number(packet.pts_time) + Number(packet.duration_time))),
  };
}

/** The bytes of a file in short. */
export async function digest(path: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(hash).toHex();
}
