/** The simulated GPUs of the demo. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createFakeSymbols, type FakeGpu } from "../../simulation/nvml_fake.ts";
import { simulateGpus } from "../../simulation/gpu.ts";
import { startExporter } from "../support/exporter_process.ts";
import { openCollector } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";

Deno.test("The demo's exporter says that it is simulated, and needs no library", async () => {
  await using exporter = await startExporter("gpu", {
    script: "simulation/gpu.ts",
    permissions: ["--no-prompt", "--allow-net=0.0.0.0"],
  });
  const page = await exporter.metrics();
  assertStringIncludes(page, "exporter_simulated 1\n");
  assertStringIncludes(page, "gpu_devices 2\n");
  assertEquals((await exporter.health()).status, "ok");
});

Deno.test("simulateGpus() stays within what such a card can do, and its counters never fall", () => {
  let nowMs = 0;
  const machine = simulateGpus({ monotonicMs: () => nowMs });
  const energy = [0n, 0n];
  let most = 0;
  for (; nowMs < 600_000; nowMs += 1000) {
    for (const [index, gpu] of machine.gpus.entries()) {
      const watts = (gpu.powerMilliwatts ?? NaN) / 1000;
      assert(watts >= 14 && watts <= 72, `${watts} W`);
      assert((gpu.temperatureCelsius ?? NaN) >= 36 && (gpu.temperatureCelsius ?? NaN) <= 75);
      const counted = gpu.fields?.[83] ?? 0n;
      assert(counted >= (energy[index] ?? 0n));
      energy[index] = counted;
      most = Math.max(most, gpu.sessions?.length ?? 0);
    }
  }
  assertEquals(most, 5);
});

Deno.test("createFakeSymbols() shows a GPU that is lost and one whose values are not supported", async () => {
  const gpus: FakeGpu[] = [
    { uuid: "GPU-0", name: "Bare", pciBusId: "00000000:01:00.0", powerMilliwatts: 5000 },
    { uuid: "GPU-1", name: "Lost", pciBusId: "00000000:02:00.0", powerMilliwatts: 6000 },
  ];
  await using test = openCollector(createFakeSymbols({ driverVersion: "1", gpus }));
  await test.collect();
  Object.assign(gpus[1] ?? {}, { failure: 15 });
  const { page, collection } = await test.collect();
  assertEquals(sampleOf(page, 'gpu_power_watts{gpu="0",uuid="GPU-0"}'), 5);
  assertEquals(sampleOf(page, 'gpu_up{gpu="1",uuid="GPU-1"}'), 0);
  assertEquals(page.includes("gpu_temperature_celsius"), false);
  assertEquals(collection.problems.map(({ reason }) => reason), ["lost"]);
});
