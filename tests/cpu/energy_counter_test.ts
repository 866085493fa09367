import { assertEquals } from "@std/assert";
import { type CounterState, EnergyCounter } from "../../exporters/cpu/energy_counter.ts";
import type { Reading } from "../../exporters/cpu/timed_reading.ts";

const RANGE = 65_712_999_613n;
const BOUNDS = { rangeMicrojoules: RANGE, maxWatts: 2000, intervalMs: 1000 };

/** A reading `seconds` after the start; the wall clock may be ahead by `aheadSeconds`. */
function reading(seconds: number, energyMicrojoules: bigint, aheadSeconds = 0): Reading {
  return {
    energyMicrojoules,
    monotonicMs: 1000 + seconds * 1000,
    uncertaintyMs: 0,
    wallClockMs: 1_700_000_000_000 + (seconds + aheadSeconds) * 1000,
  };
}

function counterAfter(
  bounds: typeof BOUNDS | { rangeMicrojoules: undefined; maxWatts: number; intervalMs: number },
  readings: Reading[],
): EnergyCounter {
  const counter = new EnergyCounter();
  for (const each of readings) counter.add(each, bounds);
  return counter;
}

/** The counter's state right after its last reading. */
function stateAfter(...[bounds, readings]: Parameters<typeof counterAfter>): CounterState {
  return counterAfter(bounds, readings).state(readings.at(-1)?.monotonicMs ?? NaN);
}

Deno.test("EnergyCounter starts at 0 whatever the kernel's counter shows, with no power yet", () => {
  const { totalMicrojoules, watts, peakWatts } = stateAfter(BOUNDS, [reading(0, 123_456n)]);
  assertEquals([totalMicrojoules, watts, peakWatts], [0n, undefined, undefined]);
});

Deno.test("EnergyCounter adds up steps and has the mean power of the last one", () => {
  const counter = stateAfter(BOUNDS, [reading(0, 100n), reading(1, 50_000_100n), reading(3, 250_000_107n)]);
  assertEquals([counter.totalMicrojoules, counter.watts], [250_000_007n, 100.0000035]);
});

Deno.test("EnergyCounter counts across a wrap", () => {
  const counter = stateAfter(BOUNDS, [reading(0, RANGE - 10n), reading(1, 5n), reading(2, 5n)]);
  assertEquals([counter.totalMicrojoules, counter.wraps, counter.watts], [15n, 1, 0]);
});

const NO_RANGE = { ...BOUNDS, rangeMicrojoules: undefined };
const REJECTED: Record<string, [bounds: typeof BOUNDS | typeof NO_RANGE, reading: Reading, reason: string]> =
  {
    "a step back when the range is unknown": [NO_RANGE, reading(1, 400_000n), "no_range"],
    "more than a zone can draw": [BOUNDS, reading(1, 2_000_500_001n), "implausible"],
    "a counter that was set back": [BOUNDS, reading(1, 3n), "implausible"],
    "a pause in which it may have wrapped": [BOUNDS, reading(33, 600_000n), "gap"],
    "a step back over a suspended machine": [BOUNDS, reading(1, 400_000n, 3600), "clock"],
    "a leap over a suspended machine": [BOUNDS, reading(1, 9_000_000_000n, 3600), "clock"],
    "a monotonic clock that goes back": [BOUNDS, reading(-1, 600_000n), "clock"],
  };

for (const [name, [bounds, refused, reason]] of Object.entries(REJECTED)) {
  Deno.test(`EnergyCounter leaves out ${name}, counts why, and goes on from there`, () => {
    const counter = counterAfter(bounds, [reading(0, 500_000n), refused]);
    const none = { clock: 0, gap: 0, implausible: 0, no_range: 0 };
    const { rejected, totalMicrojoules, wraps, watts } = counter.state(refused.monotonicMs);
    assertEquals(rejected, { ...none, [reason]: 1 });
    assertEquals([totalMicrojoules, wraps, watts], [0n, 0, undefined]);

    const next = {
      ...refused,
      monotonicMs: refused.monotonicMs + 1000,
      wallClockMs: refused.wallClockMs + 1000,
    };
    counter.add({ ...next, energyMicrojoules: refused.energyMicrojoules + 7n }, bounds);
    assertEquals(counter.state(next.monotonicMs).totalMicrojoules, 7n);
  });
}

Deno.test("EnergyCounter believes a plausible step when only the wall clock was set", async (t) => {
  for (const aheadSeconds of [-86_400, 86_400]) {
    await t.step(`by ${aheadSeconds} seconds`, () => {
      const counter = stateAfter(BOUNDS, [reading(0, 0n), reading(1, 70_000_000n, aheadSeconds)]);
      assertEquals([counter.totalMicrojoules, counter.watts], [70_000_000n, 70]);
    });
  }
});

Deno.test("EnergyCounter counts over a pause in which the counter cannot have wrapped", () => {
  const counter = stateAfter(BOUNDS, [reading(0, 0n), reading(30, 3_000_000_000n)]);
  assertEquals([counter.totalMicrojoules, counter.watts], [3_000_000_000n, 100]);
});

Deno.test("EnergyCounter never calls the usual interval a gap, however small the range", () => {
  const counter = stateAfter({ ...BOUNDS, rangeMicrojoules: 1_000_000n }, [
    reading(0, 900_000n),
    reading(1, 100_000n),
  ]);
  assertEquals(counter.totalMicrojoules, 200_000n);
});

Deno.test("EnergyCounter is exact beyond what a double can hold", () => {
  const start = 18_446_744_073_709_000_000n;
  const counter = stateAfter({ ...BOUNDS, rangeMicrojoules: 2n ** 64n }, [
    reading(0, start),
    reading(1, start + 1n),
  ]);
  assertEquals(counter.totalMicrojoules, 1n);
});

Deno.test("EnergyCounter.state() has the largest interval of the last minute", () => {
  const counter = new EnergyCounter();
  const watts = [10, 90, 20, 40, 30, ...Array(70).fill(5)];
  let energy = 0n;
  const peaks: (number | undefined)[] = [];
  counter.add(reading(0, energy), BOUNDS);
  for (const [index, each] of watts.entries()) {
    energy += BigInt(each * 1e6);
    counter.add(reading(index + 1, energy), BOUNDS);
    peaks.push(counter.state(reading(index + 1, 0n).monotonicMs).peakWatts);
  }
  assertEquals([peaks[0], peaks[1], peaks[60], peaks[61], peaks[62], peaks[63], peaks[64]], [
    10,
    90,
    90,
    40,
    40,
    30,
    5,
  ]);
});

Deno.test("EnergyCounter.restart() starts over and keeps what was counted", () => {
  const counter = counterAfter(BOUNDS, [reading(0, 0n), reading(1, 10n)]);
  counter.restart();
  counter.add(reading(2, 5_000n), BOUNDS);
  counter.add(reading(3, 5_001n), BOUNDS);
  assertEquals(counter.state(4000).totalMicrojoules, 11n);
});

Deno.test("EnergyCounter.state() is a value: later readings leave it as it is", () => {
  const counter = counterAfter(BOUNDS, [reading(0, 5n), reading(1, 10n), reading(2, 3n)]);
  const before = counter.state(3000);
  const copy = structuredClone(before);
  counter.add(reading(3, 1_000_000n), BOUNDS);
  counter.add(reading(2, 1_000_000n), BOUNDS);
  assertEquals(before, copy);
});

Deno.test("EnergyCounter has no power for an interval whose length is uncertain by more than 2 %, and its energy", () => {
  const at = (seconds: number, uncertaintyMs: number): Reading => ({
    ...reading(seconds, BigInt(seconds * 50e6)),
    uncertaintyMs,
  });
  const counter = new EnergyCounter();
  const watts: (number | undefined)[] = [];
  for (const each of [at(0, 5), at(1, 5), at(2, 300), at(3, 5), at(4, 15), at(5, 6)]) {
    counter.add(each, BOUNDS);
    watts.push(counter.state(each.monotonicMs).watts);
  }
  assertEquals(watts, [undefined, 50, undefined, undefined, 50, undefined]);
  assertEquals(counter.state(reading(5, 0n).monotonicMs), {
    totalMicrojoules: 250_000_000n,
    watts: undefined,
    peakWatts: 50,
    wraps: 0,
    rejected: { clock: 0, gap: 0, implausible: 0, no_range: 0 },
  });
});
