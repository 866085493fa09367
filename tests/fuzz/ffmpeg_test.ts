/**
 * Random reports: whatever a job sends, the exporter goes on, stays small and shows a valid page.
 *
 * @module
 */
import { assertLess } from "@std/assert";
import { CONTENT_TYPE } from "../../lib/exposition.ts";
import { parseExposition } from "../support/exposition_parser.ts";
import { bytes, corpus, parseChunks, TestBoard } from "../support/ffmpeg_jobs.ts";
import { fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";

const VOCABULARY = [
  "frame=",
  "\n",
  "\r",
  "progress=",
  "continue",
  "end",
  "-1",
  "9".repeat(30),
  "stream_0_",
  "_q=",
  "time=",
  "bitrate=",
  " ",
  "\0",
  '"',
  "\\",
  "}",
  "N/A",
  "x",
  "kB",
  "=".repeat(50),
  "Lsize=",
  "e+308",
  "muxing overhead",
] as const;

/** Chunks of noise, of ffmpeg's own words and of recorded bodies. */
function randomChunks(random: Random, bodies: readonly Uint8Array[]): Uint8Array[] {
  return random.list(random.int(1, 30), () => {
    const kind = random.next();
    if (kind < 0.3) return random.bytes(random.int(0, 300));
    if (kind < 0.7) return bytes(random.pick(["frame=", ...VOCABULARY]));
    const body = bodies[random.int(0, bodies.length - 1)] ?? new Uint8Array();
    const start = random.int(0, body.length);
    return body.slice(start, start + random.int(0, 600));
  });
}

Deno.test("random bytes neither throw nor grow, and leave a valid page", async () => {
  const bodies = [...corpus().values()];
  const board = new TestBoard({ maxJobs: 200 });
  let rounds = 0;
  const heapBytes: number[] = [];
  await fuzz("ffmpeg's reports", async (random) => {
    let job = board.begin(`job-${rounds}`, { query: random.text(random.int(0, 200)) });
    const { blocks } = parseChunks(randomChunks(random, bodies), { midStream: random.chance(0.5) });
    for (const block of blocks) {
      board.pass(random.int(1, 2000));
      job = board.report(job, block);
    }
    board.close(job);
    if (rounds % 50 === 0) heapBytes.push(Deno.memoryUsage().heapUsed);
    if (rounds++ % 500 !== 0) return;
    parseExposition(await board.page(), CONTENT_TYPE.text);
  });
  assertLess(board.jobs().length, 201);
  // The least of many looks is what is in use: between two collections there is garbage on top.
  const [before = 0] = heapBytes;
  assertLess(Math.min(...heapBytes.slice(heapBytes.length >> 1)) - before, 50e6);
});
