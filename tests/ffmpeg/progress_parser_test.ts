/**
 * Reading ffmpeg's reports: what each value means, and that chunks may be cut anywhere.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { MAX_LINE_LENGTH } from "../../exporters/ffmpeg/line_splitter.ts";
import type { ProgressBlock } from "../../exporters/ffmpeg/progress_block.ts";
import { bytes, corpus, parseChunks, TestBoard } from "../support/ffmpeg_jobs.ts";
import { Random } from "../support/random.ts";

function parse(text: string, options: { midStream?: boolean } = {}): ReturnType<typeof parseChunks> {
  return parseChunks([bytes(text)], options);
}

Deno.test("ProgressParser reads every value of a block", () => {
  const { blocks, errors } = parse(
    "frame=50\nfps=24.91\nstream_0_0_q=28.0\nstream_1_0_q=-1.0\nbitrate= 249.7kbits/s\ntotal_size=63058\n" +
      "out_time_us=2020136\nout_time_ms=2020136\nout_time=00:00:02.020136\ndup_frames=3\ndrop_frames=4\n" +
      "speed=1.02e+03x\nprogress=end\n",
  );
  assertEquals(errors, 0);
  assertEquals(blocks, [{
    final: true,
    quantizers: [{ output: "0", stream: "0", quantizer: 28 }, { output: "1", stream: "0", quantizer: -1 }],
    frames: 50,
    averageFps: 24.91,
    averageBytesPerSecond: 249.7 * 125,
    outputBytes: 63058,
    mediaSeconds: 2.020136,
    duplicatedFrames: 3,
    droppedFrames: 4,
    averageSpeed: 1020,
    encodingSeconds: undefined,
  }]);
});

/** The status lines of several versions, and their values. */
const STATUS_LINES: readonly [name: string, line: string, Partial<ProgressBlock>][] = [
  [
    "version 5",
    "frame=   30 fps=0.0 q=-1.0 Lsize=      14kB time=00:00:00.90 bitrate= 128.7kbits/s speed=21.2x    \n",
    {
      frames: 30,
      outputBytes: 14 * 1024,
      mediaSeconds: 0.9,
      averageBytesPerSecond: 128.7 * 125,
      averageSpeed: 21.2,
      final: true,
    },
  ],
  [
    "version 8",
    "frame=  100 fps= 25 q=28.0 size=     256KiB time=00:01:04.50 bitrate= 524.3kbits/s dup=1 drop=5 speed=1.01x elapsed=0:01:03.40    \r",
    {
      frames: 100,
      averageFps: 25,
      outputBytes: 256 * 1024,
      mediaSeconds: 64.5,
      duplicatedFrames: 1,
      droppedFrames: 5,
      encodingSeconds: 63.4,
      final: false,
    },
  ],
  [
    "without video",
    "size=     512kB time=00:01:14.07 bitrate=  56.6kbits/s speed= 148x    \r",
    { frames: undefined, outputBytes: 524288, mediaSeconds: 74.07, final: false },
  ],
  [
    "the null muxer",
    "frame=    1 fps=0.0 q=-0.0 size=N/A time=00:00:00.04 bitrate=N/A speed=N/A    \r",
    {
      frames: 1,
      outputBytes: undefined,
      averageBytesPerSecond: undefined,
      averageSpeed: undefined,
      mediaSeconds: 0.04,
    },
  ],
  [
    "two video streams at the end",
    "frame=   30 fps= 25 q=-1.0 Lq=-1.0 q=2.0 size=      40kB time=00:00:01.16 bitrate= 282.7kbits/s speed=0.951x    \n",
    { frames: 30, outputBytes: 40960, final: true },
  ],
  [
    "time in seconds",
    "frame=  100 fps= 25 q=28.0 size=     210kB time=4.00 bitrate= 430.1kbits/s\r",
    { mediaSeconds: 4 },
  ],
  [
    "negative time",
    "frame=    0 fps=0.0 q=0.0 size=       0kB time=-00:00:00.02 bitrate=N/A speed=   0x\r",
    { mediaSeconds: -0.02, averageSpeed: 0 },
  ],
];

Deno.test("ProgressParser reads the status lines of ffmpeg's log", async (t) => {
  for (const [name, line, expected] of STATUS_LINES) {
    await t.step(name, () => {
      const { blocks, errors } = parse(line);
      assertEquals(errors, 0);
      assertEquals(blocks.length, 1);
      const actual = blocks[0] ?? {};
      const keys = Object.keys(expected) as (keyof ProgressBlock)[];
      assertEquals(
        Object.fromEntries(keys.map((key) => [key, (actual as Partial<ProgressBlock>)[key]])),
        expected as Record<string, unknown>,
      );
    });
  }
});

Deno.test("ProgressParser takes N/A for no value, and counts what it cannot read", () => {
  const { blocks, errors } = parse(
    "frame=N/A\nfps=fast\ntotal_size=1e99\nout_time_us=N/A\nout_time=N/A\nbitrate=12\nspeed=0x10\nprogress=perhaps\n",
  );
  assertEquals(blocks, []);
  assertEquals(errors, 5);
});

Deno.test("ProgressParser takes no number that printf does not write, nor one so small that what follows from it is infinite", () => {
  for (
    const number of ["", " ", ".", "-", "0x10", "Infinity", "inf", "nan", "1e", "1.2.3", "1e-300", "1e300"]
  ) {
    const { blocks, errors } = parse(`fps=${number}\nprogress=continue\n`);
    assertEquals([blocks[0]?.averageFps, errors], [undefined, 1], number);
  }
  for (
    const [text, value] of [["  25.00", 25], ["1.02e+03", 1020], ["4e-05", 4e-5], ["-0.0", -0], [
      "7.",
      7,
    ]] as const
  ) {
    assertEquals(parse(`fps=${text}\nprogress=continue\n`).blocks[0]?.averageFps, value, text);
  }
});

Deno.test("ProgressParser drops the block that it joins in the middle", () => {
  const { blocks } = parse("ame=5\nfps=1.0\nprogress=continue\nframe=7\nprogress=continue\n", {
    midStream: true,
  });
  assertEquals(blocks.map(({ frames }) => frames), [7]);
});

Deno.test("ProgressParser knows that a block it joins in the middle was the last", () => {
  const { blocks } = parse("ame=5\nfps=1.0\nprogress=end\n", { midStream: true });
  assertEquals(blocks.map(({ final }) => final), [true]);
});

Deno.test("ProgressParser drops an overlong line, counts it once, and reads on", () => {
  const long = `frame=1\n${"x=".repeat(MAX_LINE_LENGTH)}\nfps=2\nprogress=continue\n`;
  for (const size of [1, 7, 4096, long.length]) {
    const data = bytes(long);
    const chunks = Array.from(
      { length: Math.ceil(data.length / size) },
      (_, index) => data.subarray(index * size, (index + 1) * size),
    );
    const { blocks, errors } = parseChunks(chunks);
    assertEquals([blocks.map(({ frames, averageFps }) => [frames, averageFps]), errors], [[[1, 2]], 1]);
  }
});

Deno.test("ProgressParser keeps one value of a stream that a block names twice", () => {
  const { blocks } = parse("stream_0_0_q=1.0\nstream_00_0_q=2.0\nprogress=continue\n");
  assertEquals(blocks[0]?.quantizers, [{ output: "0", stream: "0", quantizer: 1 }]);
});

Deno.test("every recorded body ends with a final block, whatever its version", () => {
  for (const [name, body] of corpus()) {
    const { blocks, errors } = parseChunks([body]);
    assertEquals(errors, 0, name);
    assert(blocks.length >= 2, name);
    assertEquals(blocks.map(({ final }) => final).lastIndexOf(true), blocks.length - 1, name);
    assertEquals(blocks.filter(({ final }) => final).length, 1, name);
  }
});

/** A chunking of a body, and a name for it. */
function* chunkings(body: Uint8Array, random: Random): Generator<[string, Uint8Array[]]> {
  for (let cut = 0; cut <= body.length; cut++) {
    yield [`cut at ${cut}`, [body.subarray(0, cut), body.subarray(cut)]];
  }
  yield ["byte by byte", Array.from(body, (_, index) => body.subarray(index, index + 1))];
  for (let round = 0; round < 20; round++) {
    const chunks: Uint8Array[] = [];
    for (let start = 0; start < body.length;) {
      const end = start + random.int(1, 40);
      chunks.push(body.subarray(start, end));
      start = end;
    }
    yield [`random cuts ${round}`, chunks];
  }
}

Deno.test("every recorded body gives the same blocks wherever it is cut", () => {
  for (const [name, body] of corpus()) {
    const expected = JSON.stringify(parseChunks([body]));
    for (const [how, chunks] of chunkings(body, new Random(1))) {
      const actual = JSON.stringify(parseChunks(chunks));
      if (actual !== expected) assertEquals(actual, expected, `${name}, ${how}`);
    }
  }
});

Deno.test("every recorded body gives the same page whole and byte by byte", async () => {
  async function pageOf(cut: (body: Uint8Array) => Uint8Array[]): Promise<string> {
    const board = new TestBoard();
    for (const [name, body] of corpus()) {
      let job = board.begin(name);
      for (const block of parseChunks(cut(body)).blocks) {
        board.pass(500);
        job = board.report(job, block);
      }
    }
    return await board.page();
  }
  const whole = await pageOf((body) => [body]);
  const cut = await pageOf((body) => Array.from(body, (_, index) => body.subarray(index, index + 1)));
  assertEquals(cut.split("\n"), whole.split("\n"));
});
