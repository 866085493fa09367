/**
 * What the arguments of a command show, and that nothing secret is kept of them.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { readCommand, splitCmdline, splitReportCommand } from "../../exporters/ffmpeg/command.ts";
import { encoderClass, expectsHardware } from "../../exporters/ffmpeg/encoder_class.ts";

function encoderOf(command: string): string {
  return readCommand(command.split(" ")).encoder;
}

Deno.test("readCommand() finds the encoder of the video", () => {
  assertEquals(encoderOf("-i a -c:v libx264 -c:a aac b"), "libx264");
  assertEquals(encoderOf("-i a -vcodec h264_vaapi b"), "h264_vaapi");
  assertEquals(encoderOf("-i a -c copy -c:v hevc_qsv b"), "hevc_qsv");
  assertEquals(encoderOf("-i a -c:v hevc_qsv -c copy b"), "hevc_qsv");
  assertEquals(encoderOf("-i a -codec:v:0 h264_nvenc b"), "h264_nvenc");
  assertEquals(encoderOf("-i a -c copy b"), "copy");
  assertEquals(encoderOf("-i a b"), "");
});

Deno.test("readCommand() takes no decoder for an encoder", () => {
  assertEquals(encoderOf("-c:v h264_cuvid -i a -c:v libx264 b"), "libx264");
  assertEquals(encoderOf("-c:v h264_cuvid -i a b"), "");
});

Deno.test("readCommand() prefers the hardware encoder of a ladder", () => {
  assertEquals(encoderOf("-i a -c:v:0 h264_nvenc -c:v:1 libx264 b"), "h264_nvenc");
  assertEquals(encoderOf("-i a -c:v:0 libx264 -c:v:1 h264_nvenc b"), "h264_nvenc");
});

Deno.test("readCommand() finds the progress file and the id of a progress URL", () => {
  const read = (target: string): unknown[] => {
    const { progressFile, progressJobId } = readCommand(["-progress", target]);
    return [progressFile, progressJobId];
  };
  assertEquals(read("/run/ffmpeg-progress/movie-7?pid=9"), ["movie-7?pid=9", undefined]);
  assertEquals(read("file:/run/a"), ["a", undefined]);
  assertEquals(read("a"), ["a", undefined]);
  assertEquals(read("file:a"), ["a", undefined]);
  // /proc is read as latin1.
  const fromProc = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));
  assertEquals(read(fromProc("/run/фильм1?pid=9")), ["фильм1?pid=9", undefined]);
  assertEquals(read(fromProc("http://h/progress?job_id=фильм1")), [undefined, "фильм1"]);
  assertEquals(read("http://127.0.0.1:9506/progress?job_id=live%201&x=y"), [undefined, "live 1"]);
  for (const other of ["pipe:1", "-", "tcp://127.0.0.1:1", "unix:/run/a", "", "http://["]) {
    assertEquals(read(other), [undefined, undefined], other);
  }
});

Deno.test("readCommand() knows how a command shortens its input, or that it cannot be known", () => {
  const cut = (command: string): unknown => readCommand(command.split(" ")).cut;
  assertEquals(cut("-i a b"), { from: 0, longest: Infinity });
  assertEquals(cut("-ss 00:01:30.5 -i a -t 20 b"), { from: 90.5, longest: 20 });
  assertEquals(cut("-ss 1500ms -i a b"), { from: 1.5, longest: Infinity });
  for (
    const unknown of [
      "-to 9",
      "-shortest",
      "-copyts",
      "-ss 1 -ss 2",
      "-t x",
      "-vf setpts=2*PTS",
      "-stream_loop -1",
    ]
  ) {
    assertEquals(cut(`-i a ${unknown} b`), undefined, unknown);
  }
});

Deno.test("readCommand() knows which commands report nothing before their end", () => {
  const isSilent = (command: string): boolean => readCommand(command.split(" ")).isSilent;
  for (const silent of ["-nostats -i a b", "-v error -stats -i a b", "-loglevel repeat+8 -i a -stats b"]) {
    assert(isSilent(silent), silent);
  }
  for (
    const other of ["-v quiet -i a b", "-stats -i a b", "-nostats -stats -i a b", "-v verbose -stats -i a b"]
  ) {
    assert(!isSilent(other), other);
  }
});

Deno.test("readCommand() keeps no text of a command but its encoder and its job", () => {
  const command = readCommand(
    splitReportCommand('ffmpeg -i "rtmp://u:hunter2@h/live/KEY" -headers "Cookie: KEY" -f flv rtmp://h/KEY'),
  );
  const kept = JSON.stringify(command);
  assert(!kept.includes("KEY") && !kept.includes("hunter2"), kept);
});

Deno.test("A command has the same digest from a report and from /proc, and another one no other", () => {
  const report = splitReportCommand('ffmpeg -i "a b\\"\\$\\\\\\xc3\\xa9"  -t 3');
  const process = splitCmdline('/usr/bin/ffmpeg\0-i\0a b"$\\\u00c3\u00a9\0\0-t\x003\0');
  assertEquals(report, process);
  assertEquals(readCommand(report).digest, readCommand(process).digest);
  assertNotEquals(readCommand(["ab", "c"]).digest, readCommand(["a", "bc"]).digest);
});

Deno.test("encoderClass() names what does the work", () => {
  const cases = {
    libx264: "software",
    mpeg4: "software",
    h264_nvenc: "nvenc",
    nvenc_hevc: "nvenc",
    av1_qsv: "qsv",
    hevc_vaapi: "vaapi",
    h264_amf: "amf",
    h264_v4l2m2m: "v4l2m2m",
    h264_videotoolbox: "videotoolbox",
    copy: "copy",
    "libx264+libx265": "software",
    "": undefined,
  };
  for (const [encoder, expected] of Object.entries(cases)) {
    assertEquals(encoderClass(encoder), expected, encoder);
  }
});

Deno.test("expectsHardware() understands a class, an encoder and any hardware", () => {
  for (const expect of ["nvenc", "NVENC", "h264_qsv", "hardware"]) assert(expectsHardware(expect), expect);
  for (const expect of ["software", "libx264", "copy", "", "toString"]) {
    assert(!expectsHardware(expect), expect);
  }
});
