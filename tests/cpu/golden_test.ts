import { assertEquals } from "@std/assert";
import { EnergyFile } from "../../exporters/cpu/powercap.ts";
import { SimulatedMachine } from "../../simulation/powercap_machine.ts";
import {
  INTEL_RANGE_MICROJOULES,
  SMALL_RANGE_MICROJOULES,
  type TreeLimit,
  type TreeZone,
} from "../../simulation/powercap_tree.ts";
import { assertGolden } from "../support/golden.ts";
import { SamplerOnClock, TemporaryTree } from "../support/powercap.ts";

const LIMITS: readonly TreeLimit[] = [
  { name: "long_term", limitMicrowatts: 65_000_000, windowMicroseconds: 27_983_872 },
  { name: "short_term", limitMicrowatts: 0, windowMicroseconds: 2_440 },
  { name: "peak_power", limitMicrowatts: 140_000_000 },
];

function zone(path: string, name: string, rangeMicrojoules = INTEL_RANGE_MICROJOULES): TreeZone {
  return { path, name, rangeMicrojoules, energyMicrojoules: rangeMicrojoules - 60_000_000n };
}

async function assertPage(name: string, run: SamplerOnClock): Promise<void> {
  const response = await run.get("/metrics");
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  await assertGolden(`cpu/${name}`, await response.text());
}

Deno.test("golden page: a machine with two packages", async () => {
  using tree = new TemporaryTree();
  using machine = new SimulatedMachine(tree.root);
  using run = new SamplerOnClock(tree.root);
  for (let second = 0; second < 90; second++) {
    machine.advance(1);
    run.tick();
  }
  await assertPage("normal", run);
});

Deno.test("golden page: an AMD machine, which has neither dram nor limits", async () => {
  const packages = [0, 1].flatMap((index) => [
    zone(`intel-rapl/intel-rapl:${index}`, `package-${index}`, SMALL_RANGE_MICROJOULES),
    zone(`intel-rapl/intel-rapl:${index}/intel-rapl:${index}:0`, "core", SMALL_RANGE_MICROJOULES),
  ]);
  using tree = new TemporaryTree(packages);
  using run = new SamplerOnClock(tree.root);
  for (const [index, { path, energyMicrojoules = 0n }] of packages.entries()) {
    tree.setEnergy(path, energyMicrojoules + BigInt(index + 1) * 10_500_000n);
  }
  run.tick();
  await assertPage("amd", run);
});

Deno.test("golden page: no powercap tree", async () => {
  using run = new SamplerOnClock("/nonexistent/powercap");
  await assertPage("missing", run);
});

Deno.test("golden page: one zone is denied", async () => {
  using tree = new TemporaryTree([
    zone("intel-rapl/intel-rapl:0", "package-0"),
    zone("intel-rapl/intel-rapl:0/intel-rapl:0:0", "dram"),
  ]);
  using run = new SamplerOnClock(tree.root, {
    openCounter: (path) => {
      if (path.includes(":0:0/")) throw new Deno.errors.PermissionDenied("(os error 13)");
      return new EnergyFile(path);
    },
  });
  run.tick();
  await assertPage("permission", run);
});

Deno.test("golden page: a counter wraps, one is set back, one has no range", async () => {
  const odd = { path: "odd/odd:2", name: 'a "quoted" \\ name', energyMicrojoules: 1_000_000n };
  using tree = new TemporaryTree([
    { ...zone("intel-rapl/intel-rapl:0", "package-0"), enabled: false, limits: LIMITS },
    { ...zone("intel-rapl/intel-rapl:1", "package-1"), energyMicrojoules: 5_000_000_000n },
    odd,
  ]);
  using run = new SamplerOnClock(tree.root);
  tree.setEnergy("intel-rapl/intel-rapl:0", 12_345_678n);
  tree.setEnergy("intel-rapl/intel-rapl:1", 4_000_000_000n);
  tree.setEnergy(odd.path, 0n);
  run.tick();
  await assertPage("wrap", run);
});
