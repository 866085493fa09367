/**
 * Reports of ffmpeg that were cut, mixed, filled with zeros or anything else: they read the same from any pieces, give
 * finite numbers, and no text of a command line goes on.
 */
import { assert, assertEquals } from "@std/assert";
import { RUN_ERRORS } from "../../exporters/ffmpeg/report_error.ts";
import { parseReport } from "../support/ffmpeg_jobs.ts";
import { fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";

const FOLDER = new URL("../fixtures/ffmpeg/reports/", import.meta.url);
const LATIN1 = new TextDecoder("latin1");

function reports(): [string, ...string[]] {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".log"));
  const [first = "", ...others] = names.sort().map((name) =>
    LATIN1.decode(Deno.readFileSync(new URL(`./${name}`, FOLDER)))
  );
  return [first, ...others];
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A report to which something happened. */
function damaged(random: Random, all: [string, ...string[]]): string {
  const report = random.pick(all);
  const at = random.int(0, report.length);
  switch (random.pick(["cut", "join", "hole", "mutate", "noise", "long"])) {
    case "cut":
      return report.slice(at);
    case "join":
      return report.slice(0, at) + random.pick(all);
    case "hole":
      return "\0".repeat(random.int(1, 5000)) + report.slice(at);
    case "noise":
      return report.slice(0, at) + LATIN1.decode(random.bytes(random.int(1, 2000))) + report.slice(at);
    case "long":
      return report.slice(0, at) + "x=".repeat(random.int(1, 5000)) + report.slice(at);
  }
  return random.mutate(report);
}

Deno.test("Random reports read the same from any pieces, and give nothing of their command lines away", async () => {
  const all = reports();
  await fuzz("report", (random) => {
    for (let left = 20; left > 0; left--) {
      const bytes = bytesOf(damaged(random, all));
      const whole = parseReport([bytes]);
      const at = random.int(0, bytes.length);
      // Zeros at the start of a chunk are those of a hole; elsewhere they are noise within a line.
      if (!bytes.includes(0)) {
        assertEquals(parseReport([bytes.subarray(0, at), bytes.subarray(at)]), whole);
      }
      const { encode, failures, blocks, command } = whole;
      for (const value of [encode?.width, encode?.height, encode?.framerate, encode?.durationSeconds]) {
        assert(value === undefined || Number.isFinite(value) && value >= 0, String(value));
      }
      assert((encode?.encoder?.length ?? 0) <= 128);
      assert(failures.every((error) => RUN_ERRORS.includes(error)));
      for (const { final: _, quantizers: __, ...values } of blocks) {
        for (const value of Object.values(values)) assert(value === undefined || Number.isFinite(value));
      }
      assert(!JSON.stringify([command, encode]).includes("STREAMKEY"));
    }
  });
});
