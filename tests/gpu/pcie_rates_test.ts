import { assertEquals } from "@std/assert";
import { Snapshot } from "../../lib/exposition.ts";
import { GpuSamples } from "../../exporters/gpu/gpu_samples.ts";
import { PcieRates, type PcieReading } from "../../exporters/gpu/pcie_rates.ts";

/** Adds readings one after the other; the rates of each, received first. */
function ratesOf(readings: readonly PcieReading[]): number[][] {
  const pcie = new PcieRates();
  return readings.map((reading) => {
    const samples = new GpuSamples();
    pcie.add(reading, samples);
    const snapshot = new Snapshot();
    samples.publish(snapshot, { gpu: "0", uuid: "GPU-0" });
    return [...snapshot.families.values()].flat().map(({ value }) => value);
  });
}

/** Counters that were read at once, at a moment in milliseconds. */
function at(ms: number, tx: number | bigint | undefined, rx: number | bigint | undefined): PcieReading {
  return { tx, rx, beforeMs: ms, afterMs: ms };
}

Deno.test("PcieRates divides by the time between readings", () => {
  assertEquals(ratesOf([at(0, 0n, 0n), at(2000, 4_000n, 0n), at(2500, 4_000n, 500n)]), [[], [0, 2000], [
    1000,
    0,
  ]]);
});

Deno.test("PcieRates has no rate where a counter fell: it wrapped or began again", () => {
  assertEquals(ratesOf([at(0, 9n, 9n), at(1000, 10n, 3n), at(2000, 10n, 4n)]), [[], [1], [1, 0]]);
});

Deno.test("PcieRates uses counters of 64 bits only: one of 32 wraps within a second", () => {
  const pcie = new PcieRates();
  const cases: [number | bigint | undefined, boolean][] = [
    [1n, true],
    [1, false],
    [undefined, false],
    [-1n, false],
    [0xffff_ffff_ffff_ffffn, false],
  ];
  for (const [value, isCounted] of cases) {
    assertEquals(pcie.add(at(0, value, value), new GpuSamples()), isCounted, String(value));
  }
});

Deno.test("PcieRates has no rate where calls took so long that the interval is not known to 5 %", () => {
  const slow: PcieReading = { tx: 2000n, rx: 0n, beforeMs: 1000, afterMs: 1200 };
  assertEquals(ratesOf([at(0, 1000n, 0n), slow, at(2400, 4000n, 0n)]), [[], [0], [0]]);
  const quick: PcieReading = { tx: 2000n, rx: 0n, beforeMs: 990, afterMs: 1010 };
  assertEquals(ratesOf([at(0, 1000n, 0n), quick]), [[], [0, 1000]]);
});
