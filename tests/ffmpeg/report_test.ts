/**
 * Reading the reports of four versions of ffmpeg: what the encode is, what it did, how it ended.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { readCommand } from "../../exporters/ffmpeg/command.ts";
import { bytes, parseReport } from "../support/ffmpeg_jobs.ts";

const FOLDER = new URL("../fixtures/ffmpeg/reports/", import.meta.url);
const VERSIONS = ["4.3", "5.1", "7.1", "9.0"] as const;

function read(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`./${name}.log`, FOLDER));
}

const UNKNOWN = {
  encoder: undefined,
  width: undefined,
  height: undefined,
  framerate: undefined,
  durationSeconds: undefined,
};
const SOURCE = { width: 320, height: 180, framerate: 25, durationSeconds: 4 };

for (const version of VERSIONS) {
  Deno.test(`Report shows the encoder, size, frame rate and duration of an encode by ffmpeg ${version}`, () => {
    const cases = {
      encode: { ...SOURCE, encoder: "libx264", width: 160, height: 90 },
      signal: { ...SOURCE, encoder: "libx264" },
      nostats: { ...SOURCE, encoder: "libx264", durationSeconds: 2 },
      audio: { ...UNKNOWN, encoder: "aac", durationSeconds: 4 },
      // A filter may change the length.
      ladder: { ...SOURCE, encoder: "libx264", width: 64, height: 36, durationSeconds: undefined },
    };
    for (const [name, encode] of Object.entries(cases)) {
      const report = parseReport([read(`${version}-${name}`)]);
      assertEquals(report.encode, encode, name);
      assertEquals(report.failures, name === "signal" ? ["signal"] : [], name);
      assertEquals(report.errors, 0, name);
    }
  });

  Deno.test(`Report brings the frames of ffmpeg ${version}, and which status line is the last`, () => {
    const { blocks } = parseReport([read(`${version}-encode`)]);
    assert(blocks.length > 5);
    assertEquals(blocks.map(({ final }) => final), blocks.map((_, index) => index === blocks.length - 1));
    assertEquals(blocks.at(-1)?.frames, 100);
    const { blocks: [only, ...others] } = parseReport([read(`${version}-nostats`)]);
    assertEquals([only?.frames, only?.final, others.length], [50, true, 0]);
  });

  Deno.test(`Report classifies what ends a run of ffmpeg ${version}`, () => {
    const cases = {
      missing: "not_found",
      encoder: "encoder",
      network: "network",
      full: "disk_full",
      arguments: "arguments",
    };
    for (const [name, error] of Object.entries(cases)) {
      assertEquals(parseReport([read(`${version}-${name}`)]).failures, [error], name);
    }
  });

  Deno.test(`Report takes runs of ffmpeg ${version} that encode nothing for no encode`, () => {
    for (const name of ["info", "usage", "version", "probe"]) {
      const { encode, failures, blocks } = parseReport([read(`${version}-${name}`)]);
      assertEquals([encode, failures, blocks], [undefined, [], []], name);
    }
  });
}

Deno.test("Report reads the same wherever it is cut", () => {
  for (const name of ["4.3-full", "5.1-encode", "7.1-ladder", "9.0-signal"]) {
    const whole = read(name);
    const expected = parseReport([whole]);
    for (let at = 0; at < whole.length; at += 97) {
      assertEquals(parseReport([whole.subarray(0, at), whole.subarray(at)]), expected, `${name} at ${at}`);
    }
  }
});

Deno.test("Report knows the command of its process again", () => {
  const { command } = parseReport([read("7.1-ladder")]);
  const args = [
    ...["-nostdin", "-y", "-i", "in.mp4", "-filter_complex", "[0:v]split=2[a][b];[a]scale=64:36[a1]"],
    ...["-map", "[a1]", "-map", "[b]", "-map", "0:a", "-c:v", "libx264", "-f", "null", "-"],
  ];
  assertEquals(command?.digest, readCommand(args).digest);
});

Deno.test("Report reads the copy of a log that another program wrote a head to", () => {
  const log = new TextDecoder("latin1").decode(read("7.1-encode"));
  const copy =
    '{"Protocol":0,"Path":"/media/film.mkv"}\n\n/usr/lib/jellyfin-ffmpeg/ffmpeg -i "file:/media/film.mkv"\n\n' +
    log.slice(log.indexOf("ffmpeg version"));
  const { encode, blocks } = parseReport([bytes(copy)]);
  // Without a command it is unknown what part of the input is encoded.
  assertEquals(encode, { ...SOURCE, encoder: "libx264", width: 160, height: 90, durationSeconds: undefined });
  assertEquals(blocks.at(-1)?.frames, 100);
});

Deno.test("Report takes no other log for one of ffmpeg", () => {
  const { encode, failures } = parseReport([
    bytes("[21:33:26] [INF] Startup complete\n/media/a: No such file or directory\nConversion failed!\n"),
  ]);
  assertEquals([encode, failures], [undefined, []]);
});

Deno.test("Report passes over the hole of a file that was truncated under its writer", () => {
  const status =
    "frame=  64 fps= 25 q=21.0 size=       0kB time=00:00:02.36 bitrate=   0.2kbits/s speed=0.936x    \r";
  const { blocks, errors } = parseReport([
    new Uint8Array(100_000),
    new Uint8Array(3),
    bytes(`\0\0${status}`),
  ]);
  assertEquals([blocks.map(({ frames }) => frames), errors], [[64], 0]);
});
