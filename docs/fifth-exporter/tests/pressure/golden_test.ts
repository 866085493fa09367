import { assertEquals } from "@std/assert";
import { eventually } from "../support/exporter_process.ts";
import { assertGolden } from "../support/golden.ts";
import { PressureRig } from "../support/rigs/pressure.ts";
import { assertFollows, sourceHealth } from "../support/rigs/rig.ts";

Deno.test("golden page: a machine with pressure stall information", async () => {
  await using rig = await PressureRig.create();
  await assertGolden("pressure/normal", await rig.exporter.metrics());
  await assertFollows(rig);
});

Deno.test("without its folder the exporter publishes nothing, says what to do, and recovers", async () => {
  await using rig = await PressureRig.create({ absent: true });
  const { up, reason } = await sourceHealth(rig);
  assertEquals([up, reason.includes("mount /proc/pressure there")], [false, true], reason);
  assertEquals((await rig.exporter.metrics()).includes("pressure_stalled"), false);
  rig.show();
  await eventually(() => assertFollows(rig));
});
