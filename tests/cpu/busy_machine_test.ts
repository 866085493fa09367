/** The exporter where it is stopped, or gets little of the machine: no power is wrong, no energy is lost. */
import { assertAlmostEquals, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { busyLoops } from "../support/busy_loops.ts";
import { eventually, type ExporterProcess, startExporter } from "../support/exporter_process.ts";
import { parseExposition } from "../support/exposition_parser.ts";
import { valueOf } from "../support/powercap.ts";
import { needs } from "../support/programs.ts";
import { ScheduledPower, type ScheduledZone } from "../support/scheduled_power.ts";

const ZONES: readonly ScheduledZone[] = [
  { path: "intel-rapl/intel-rapl:0", name: "package-0", watts: 50 },
  { path: "intel-rapl/intel-rapl:0/intel-rapl:0:0", name: "core", watts: 30 },
  { path: "intel-rapl/intel-rapl:0/intel-rapl:0:1", name: "dram", watts: 5 },
];

async function startOn(power: ScheduledPower, interval: string, prefix: string[]): Promise<ExporterProcess> {
  return await startExporter("cpu", {
    args: [`--powercap=${power.root}`, `--interval=${interval}`],
    permissions: ["--no-prompt", `--allow-read=${power.root}`, "--allow-net=0.0.0.0"],
    env: power.env,
    prefix,
  });
}

/** Holds every power and peak of a page against the truth; returns how many there are. */
function judgePowers(page: string): number {
  const families = parseExposition(page, "text/plain; version=0.0.4; charset=utf-8");
  const samples = ["rapl_power_watts", "rapl_power_peak_watts"]
    .flatMap((name) => families.get(name)?.samples ?? []);
  for (const { name, labels, value } of samples) {
    const { watts = NaN } = ZONES.find(({ path }) => path === labels["path"]) ?? {};
    assertAlmostEquals(value, watts, 0.03 * watts, `${name} of ${labels["zone"]}`);
  }
  const node = valueOf(page, "rapl_node_power_watts");
  if (node !== undefined) assertAlmostEquals(node, 55, 0.03 * 55, "rapl_node_power_watts");
  return samples.length;
}

/** Lets the zones begin to draw power, and waits until no interval holds the moment before. */
async function startSteadily(power: ScheduledPower, exporter: ExporterProcess): Promise<void> {
  power.start();
  await eventually(async () => {
    for (const { path, watts } of ZONES) {
      assertAlmostEquals(
        valueOf(await exporter.metrics(), "rapl_power_watts", { path }) ?? 0,
        watts,
        0.03 * watts,
      );
    }
  });
}

async function assertEnergyExact(power: ScheduledPower, exporter: ExporterProcess): Promise<void> {
  power.end();
  await eventually(async () => {
    const page = await exporter.metrics();
    for (const zone of ZONES) {
      const joules = valueOf(page, "rapl_energy_joules_total", { path: zone.path });
      assertAlmostEquals(joules ?? NaN, power.joules(zone), 2e-6, zone.name);
    }
  }, 20_000);
}

Deno.test({
  name: "A process stopped between counter and clock publishes no wrong power and loses no energy",
  ...needs("cc"),
  fn: async () => {
    using power = await ScheduledPower.create(ZONES);
    await using exporter = await startOn(power, "1s", []);
    await startSteadily(power, exporter);
    for (let stop = 0; stop < 4; stop++) {
      power.stopAfterRead();
      await eventually(() => assertEquals(power.isStopPending, false));
      // The length of the stop: most of an interval.
      await new Promise((resolve) => setTimeout(resolve, 400));
      exporter.kill("SIGCONT");
      const endMs = performance.now() + 2500;
      while (performance.now() < endMs) {
        judgePowers(await exporter.metrics());
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    await assertEnergyExact(power, exporter);
  },
});

for (
  const [share, nice, interval] of [
    // The weight of the exporter's unit, 20 of 100, is seven steps of nice.
    ["the CPU weight of its unit", 12, "1s"],
    ["a fifteenth of a processor and ten readings a second", 19, "100ms"],
  ] as const
) {
  Deno.test({
    name:
      `On a busy machine, with ${share}, no power and no peak is off by more than 3 %, and energy is exact`,
    ...needs("cc", "nice"),
    fn: async () => {
      using power = await ScheduledPower.create(ZONES);
      await using exporter = await startOn(power, interval, ["nice", "-n", String(nice)]);
      await startSteadily(power, exporter);
      {
        using _load = busyLoops(2 * navigator.hardwareConcurrency);
        let judged = 0;
        const endMs = performance.now() + 10_000;
        while (performance.now() < endMs) {
          judged += judgePowers(await exporter.metrics());
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        assertGreaterOrEqual(judged, 1, "there has to be power to judge");
      }
      await assertEnergyExact(power, exporter);
    },
  });
}
