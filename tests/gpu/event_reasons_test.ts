import { assertEquals } from "@std/assert";
import { addEventReasons } from "../../exporters/gpu/event_reasons.ts";
import { GpuSamples } from "../../exporters/gpu/gpu_samples.ts";
import { Snapshot } from "../../lib/exposition.ts";

function reasonsOf(now: bigint | undefined, supported?: bigint): Record<string, number> {
  const samples = new GpuSamples();
  addEventReasons(samples, now, supported);
  const snapshot = new Snapshot();
  samples.publish(snapshot, { gpu: "0", uuid: "GPU-0" });
  return Object.fromEntries(
    [...snapshot.families.values()].flat().map(({ labels, value }) => [labels.reason, value]),
  );
}

Deno.test("addEventReasons() adds 0 or 1 for each reason that the GPU can give", () => {
  assertEquals(reasonsOf(0x4n, 0x5n), { gpu_idle: 0, sw_power_cap: 1 });
  assertEquals(reasonsOf(0n, 0x1n), { gpu_idle: 0 });
});

Deno.test("addEventReasons() adds all known reasons where the GPU does not report which it can give", () => {
  const reasons = reasonsOf(0x101n);
  assertEquals(Object.keys(reasons).length, 9);
  assertEquals(Object.entries(reasons).filter(([, value]) => value === 1).map(([name]) => name), [
    "gpu_idle",
    "display_clock_setting",
  ]);
});

Deno.test("addEventReasons() adds nothing of a mask that was not read or has every bit set", () => {
  assertEquals([reasonsOf(undefined), reasonsOf(0xffff_ffff_ffff_ffffn)], [{}, {}]);
});
