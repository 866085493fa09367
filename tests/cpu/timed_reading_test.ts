import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { type Reading, readTimed } from "../../exporters/cpu/timed_reading.ts";

/** Reads a counter of 30 W whose readings take these milliseconds: before the counter is looked at, and after. */
function readTaking(
  ...durations: readonly (readonly [before: number, after: number])[]
): Reading & { reads: number } {
  let nowMs = 1000;
  let reads = 0;
  const reading = readTimed(() => {
    const [before, after] = durations[reads++] ?? [0, 0];
    nowMs += before;
    const microjoules = BigInt(Math.round(nowMs * 30_000));
    nowMs += after;
    return microjoules;
  }, { intervalMs: 1000, monotonicMs: () => nowMs, wallClockMs: () => 1_700_000_000_000 + nowMs });
  return { ...reading, reads };
}

Deno.test("readTimed() takes the middle of the time that a reading took", () => {
  const { monotonicMs, uncertaintyMs, reads } = readTaking([2, 4]);
  assertEquals([monotonicMs, uncertaintyMs, reads], [1003, 3, 1]);
});

Deno.test("readTimed() repeats a reading that took more than a hundredth of the interval", () => {
  const { monotonicMs, uncertaintyMs, energyMicrojoules, reads } = readTaking([0, 400], [12, 0], [0, 1]);
  assertEquals([monotonicMs, uncertaintyMs, reads], [1412.5, 0.5, 3]);
  assertEquals(energyMicrojoules, 42_360_000n);
});

Deno.test("readTimed() settles for the shortest of four, and the moment is never off by more than it admits", () => {
  const { monotonicMs, uncertaintyMs, energyMicrojoules, reads } = readTaking([30, 40], [0, 20], [50, 0], [
    7,
    90,
  ]);
  assertEquals([monotonicMs, uncertaintyMs, reads], [1080, 10, 4]);
  assertAlmostEquals(Number(energyMicrojoules) / 30_000, monotonicMs, uncertaintyMs);
});

Deno.test("readTimed() passes on what the counter throws", () => {
  const options = { intervalMs: 1000, monotonicMs: () => 0, wallClockMs: () => 0 };
  assertThrows(
    () =>
      readTimed(() => {
        throw new TypeError("gone");
      }, options),
    TypeError,
    "gone",
  );
});
