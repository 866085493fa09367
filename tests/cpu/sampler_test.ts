import { assert, assertEquals, assertGreater, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { EnergyFile } from "../../exporters/cpu/powercap.ts";
import type { CounterFile } from "../../exporters/cpu/zone_reader.ts";
import { INTEL_RANGE_MICROJOULES, SMALL_RANGE_MICROJOULES } from "../../simulation/powercap_tree.ts";
import { SamplerOnClock, TemporaryTree, valueOf } from "../support/powercap.ts";

const PACKAGE_0 = "intel-rapl/intel-rapl:0";
const PACKAGE_1 = "intel-rapl/intel-rapl:1";
const CORE = `${PACKAGE_0}/intel-rapl:0:0`;
const DRAM = `${PACKAGE_0}/intel-rapl:0:1`;
const PSYS = "intel-rapl/intel-rapl:2";
const TWIN = "intel-rapl-mmio/intel-rapl-mmio:0";
const NAMES: Readonly<Record<string, string>> = {
  [PACKAGE_0]: "package-0",
  [PACKAGE_1]: "package-1",
  [CORE]: "core",
  [DRAM]: "dram",
  [PSYS]: "psys",
  [TWIN]: "package-0",
};

const INTEL_LIMITS = [{ name: "long_term", limitMicrowatts: 250_000_000, windowMicroseconds: 999_424 }];

/** A tree with the named zones, each at 0. */
function treeOf(...paths: string[]): TemporaryTree {
  return new TemporaryTree(paths.map((path) => ({
    path,
    name: NAMES[path] ?? path,
    energyMicrojoules: 0n,
    rangeMicrojoules: INTEL_RANGE_MICROJOULES,
  })));
}

/** Opens counters that fail with the error found at their path. */
function failing(errors: Map<string, Error>): (path: string) => CounterFile {
  return (path) => {
    const file = new EnergyFile(path);
    const zone = path.split("/").at(-2) ?? "";
    const fail = (): void => {
      const error = errors.get(zone);
      if (error) throw error;
    };
    try {
      fail();
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    return {
      identity: file.identity,
      read: () => (fail(), file.read()),
      [Symbol.dispose]: () => file[Symbol.dispose](),
    };
  };
}

Deno.test("PowercapSampler counts packages and dram once for the node", () => {
  using tree = treeOf(PACKAGE_0, PACKAGE_1, CORE, DRAM, PSYS, TWIN);
  using run = new SamplerOnClock(tree.root);
  for (
    const [path, microjoules] of [[PACKAGE_0, 50n], [PACKAGE_1, 60n], [CORE, 40n], [DRAM, 7n], [PSYS, 200n], [
      TWIN,
      50n,
    ]] as const
  ) {
    tree.setEnergy(path, microjoules * 1_000_000n);
  }
  assertEquals(run.tick().node, { microjoules: 117_000_000n, watts: 117 });
});

Deno.test("PowercapSampler counts the mmio twin where it has no original, and dies each", () => {
  using tree = new TemporaryTree(
    [
      [TWIN, "package-0"],
      ["r/r:1", "package-1-die-0"],
      ["r/r:2", "package-1-die-1"],
      ["r/r:2/r:2:0", "dram"],
      ["r/r:1/r:1:0", "dram"],
    ]
      .map(([path = "", name = ""]) => ({ path, name, energyMicrojoules: 0n, limits: INTEL_LIMITS })),
  );
  using run = new SamplerOnClock(tree.root);
  for (const [index, path] of [TWIN, "r/r:1", "r/r:2", "r/r:2/r:2:0", "r/r:1/r:1:0"].entries()) {
    tree.setEnergy(path, 10n ** BigInt(index));
  }
  assertEquals(run.tick().node?.microjoules, 11_111n);
});

Deno.test("PowercapSampler counts and reports an AMD package once where the kernel lists it for each of its dies", () => {
  const dies = [["a:0", "package-0-die-0"], ["a:1", "package-0-die-1"], ["a:2", "package-1-die-0"], [
    "a:3",
    "package-1-die-1",
  ]];
  using tree = new TemporaryTree(
    dies.flatMap(([path = "", name = ""]) => [
      { path, name, energyMicrojoules: 0n },
      { path: `${path}/core`, name: "core", energyMicrojoules: 0n },
    ]),
  );
  using run = new SamplerOnClock(tree.root);
  for (const path of ["a:0", "a:1"]) tree.setEnergy(path, 120_000_000n);
  for (const path of ["a:2", "a:3"]) tree.setEnergy(path, 80_000_000n);
  for (const [index, [path]] of dies.entries()) {
    tree.setEnergy(`${path}/core`, BigInt(index + 1) * 1_000_000n);
  }
  const { node, zones, problems } = run.tick();
  assertEquals(node, { microjoules: 200_000_000n, watts: 200 });
  assertEquals(zones.map(({ zone, watts }) => [zone.path, zone.name, zone.packageId, watts]), [
    ["a:0", "package-0", "0", 120],
    ["a:0/core", "core", "0", 1],
    ["a:1/core", "core", "0", 2],
    ["a:2", "package-1", "1", 80],
    ["a:2/core", "core", "1", 3],
    ["a:3/core", "core", "1", 4],
  ]);
  assertEquals(problems, []);
});

Deno.test("PowercapSampler has no node totals where there is no package", () => {
  using tree = treeOf(PSYS);
  using run = new SamplerOnClock(tree.root);
  assertEquals(run.tick().node, undefined);
});

const FAILURES: Record<string, [error: Error, reason: string, explanation: string]> = {
  "the system denies": [
    new Deno.errors.PermissionDenied("(os error 13)"),
    "permission",
    "CAP_DAC_READ_SEARCH",
  ],
  "Deno denies": [new Deno.errors.NotCapable("Requires read access"), "permission", "--allow-read"],
  "is taken away": [new Error("No such device (os error 19)"), "gone", "taken away"],
  "has no data": [new Error("No data available (os error 61)"), "invalid", "No data available"],
};

for (const [name, [error, reason, explanation]] of Object.entries(FAILURES)) {
  Deno.test(`PowercapSampler loses only the zone that ${name}, explains why, and misses it in the node`, () => {
    using tree = treeOf(PACKAGE_0, PACKAGE_1);
    const errors = new Map([["intel-rapl:1", error]]);
    using run = new SamplerOnClock(tree.root, { openCounter: failing(errors) });
    tree.setEnergy(PACKAGE_0, 30_000_000n);
    const sample = run.tick();
    assertEquals(sample.zones.map(({ zone, watts }) => [zone.path, watts]), [[PACKAGE_0, 30]]);
    assertEquals([sample.discovered, sample.node], [2, undefined]);
    assertEquals(sample.problems.map((problem) => problem.reason), [reason]);
    assertStringIncludes(sample.problems[0]?.message ?? "", `Cannot read zone "${PACKAGE_1}"`);
    assertStringIncludes(sample.problems[0]?.message ?? "", explanation);

    errors.clear();
    assertEquals(run.tick().zones.length, 2);
    assertEquals(run.tick().problems, []);
  });
}

Deno.test("PowercapSampler counts what a zone used while it could not be read", () => {
  using tree = treeOf(PACKAGE_0, PACKAGE_1);
  const errors = new Map<string, Error>();
  using run = new SamplerOnClock(tree.root, { openCounter: failing(errors) });
  errors.set("intel-rapl:1", new Error("No data available (os error 61)"));
  tree.setEnergy(PACKAGE_1, 80_000_000n);
  assertEquals(run.tick().node, undefined);
  errors.clear();
  tree.setEnergy(PACKAGE_1, 100_000_000n);
  assertEquals(run.tick().node, { microjoules: 100_000_000n, watts: 50 });
  assertEquals(run.energyOf(PACKAGE_1), 100_000_000n);
});

Deno.test("PowercapSampler reports in one sentence that every zone is denied", () => {
  using tree = treeOf(PACKAGE_0, PACKAGE_1, CORE);
  const denied = new Deno.errors.PermissionDenied("(os error 13)");
  const errors = new Map(["intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"].map((zone) => [zone, denied]));
  using run = new SamplerOnClock(tree.root, { openCounter: failing(errors) });
  const sample = run.tick();
  assertEquals([sample.zones.length, sample.discovered, sample.problems.length], [0, 3, 1]);
  assertStringIncludes(sample.problems[0]?.message ?? "", "Cannot read any of the 3 zones");
});

Deno.test("PowercapSampler picks up a tree that appears, and lets go of one that vanishes", () => {
  using tree = new TemporaryTree();
  Deno.removeSync(tree.root);
  using run = new SamplerOnClock(tree.root);
  assertEquals(run.tick().problems.map((problem) => problem.reason), ["missing"]);
  tree.add({ path: PACKAGE_0, name: "package-0", energyMicrojoules: 5n, rangeMicrojoules: 100n });
  assertEquals(run.tick().zones.length, 1);
  assertEquals(run.tick().problems, []);
  tree.remove(PACKAGE_0);
  Deno.removeSync(tree.root, { recursive: true });
  for (let second = 0; second < 10; second++) run.tick();
  const { zones, discovered, node, problems } = run.sampler.latest;
  assertEquals([zones, discovered, node, problems.map((problem) => problem.reason)], [[], 0, undefined, [
    "missing",
  ]]);
  Deno.mkdirSync(tree.root);
});

Deno.test("PowercapSampler asks for a restart where the driver was unloaded: the bind mount stays at the tree that is gone", () => {
  using tree = treeOf(PACKAGE_0);
  using run = new SamplerOnClock(tree.root);
  tree.remove("intel-rapl");
  for (let second = 0; second < 10; second++) run.tick();
  const { zones, node, problems } = run.sampler.latest;
  assertEquals([zones, node, problems.map((problem) => problem.reason)], [[], undefined, ["gone"]]);
  assertStringIncludes(problems[0]?.message ?? "", "systemctl restart cpu-exporter");
});

Deno.test("PowercapSampler follows zones that appear and vanish", () => {
  using tree = treeOf(PACKAGE_0, CORE);
  using run = new SamplerOnClock(tree.root);
  tree.remove(CORE);
  tree.add({ path: DRAM, name: "dram", energyMicrojoules: 0n });
  for (let second = 0; second < 10; second++) run.tick();
  assertEquals(run.sampler.latest.zones.map(({ zone }) => zone.path), [PACKAGE_0, DRAM]);
  assertEquals(run.sampler.latest.problems.map((problem) => problem.reason), ["gone"]);
  assert(run.sampler.latest.node, "the core zone is no part of the node's totals");
});

Deno.test("PowercapSampler withholds the node's totals for five minutes when a package vanishes", () => {
  using tree = treeOf(PACKAGE_0, PACKAGE_1);
  using run = new SamplerOnClock(tree.root);
  tree.setEnergy(PACKAGE_0, 3_000_000n);
  tree.setEnergy(PACKAGE_1, 4_000_000n);
  assertEquals(run.tick().node?.microjoules, 7_000_000n);
  tree.remove(PACKAGE_1);
  for (let second = 0; second < 20; second++) run.tick();
  assertEquals(run.sampler.latest.node, undefined);
  for (let second = 0; second < 300; second++) run.tick();
  assertEquals(run.sampler.latest.node, { microjoules: 7_000_000n, watts: 0 });
  assertEquals(run.sampler.latest.problems, []);
});

Deno.test("PowercapSampler starts over on a zone that another file or another name took the place of", async (t) => {
  using tree = treeOf(PACKAGE_0, PACKAGE_1);
  using run = new SamplerOnClock(tree.root);
  const add = (name: string, energyMicrojoules: bigint): void =>
    tree.add({ path: PACKAGE_1, name, energyMicrojoules });
  await t.step("the same zone with a new counter", () => {
    tree.setEnergy(PACKAGE_1, 10n);
    run.tick();
    tree.remove(PACKAGE_1);
    add("package-1", 400n);
    for (let second = 0; second < 10; second++) run.tick();
    tree.setEnergy(PACKAGE_1, 401n);
    run.tick();
    assertEquals(run.energyOf(PACKAGE_1), 11n);
  });
  await t.step("another zone", () => {
    add("package-7", 402n);
    for (let second = 0; second < 10; second++) run.tick();
    assertEquals(run.energyOf(PACKAGE_1), 0n);
  });
});

Deno.test({
  name: "PowercapSampler keeps one file open for each zone",
  fn: () => {
    const openFiles = (): number => [...Deno.readDirSync("/proc/self/fd")].length;
    using tree = treeOf(PACKAGE_0, PACKAGE_1, CORE);
    const before = openFiles();
    {
      using run = new SamplerOnClock(tree.root);
      for (let second = 0; second < 50; second++) run.tick();
      assertEquals(openFiles() - before, 3);
      tree.remove(PACKAGE_1);
      for (let second = 0; second < 20; second++) run.tick();
      assertLessOrEqual(openFiles() - before, 2);
    }
    assertLessOrEqual(openFiles(), before);
  },
});

Deno.test("PowercapSampler.latest samples by itself when the timer is late", () => {
  using tree = treeOf(PACKAGE_0);
  using run = new SamplerOnClock(tree.root);
  const first = run.sampler.latest;
  run.clock.advance(1900);
  assertEquals(run.sampler.latest, first);
  run.clock.advance(200);
  tree.setEnergy(PACKAGE_0, 210_000_000n);
  assertEquals(run.sampler.latest.zones[0]?.watts, 100);
});

/** The same numbers in each run. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

Deno.test("an hour of wraps, restarts, failures and clock jumps: counters equal the true sum, scrapers agree", async () => {
  const random = pseudoRandom(20_260);
  const zones = [
    { path: PACKAGE_0, name: "package-0", rangeMicrojoules: INTEL_RANGE_MICROJOULES, watts: 310 },
    { path: PACKAGE_1, name: "package-1", rangeMicrojoules: SMALL_RANGE_MICROJOULES, watts: 290 },
    { path: DRAM, name: "dram", rangeMicrojoules: SMALL_RANGE_MICROJOULES, watts: 60 },
  ].map((zone) => ({ ...zone, shown: zone.rangeMicrojoules - 1_000n, truth: 0n, wraps: 0 }));
  using tree = new TemporaryTree();
  const show = (): void => {
    for (const { path, name, rangeMicrojoules, shown } of zones) {
      tree.add({ path, name, rangeMicrojoules, energyMicrojoules: shown });
    }
  };
  show();
  const errors = new Map<string, Error>();
  using run = new SamplerOnClock(tree.root, { openCounter: failing(errors) });
  const published = { fast: new Map<string, number>(), slow: new Map<string, number>() };
  const scrape = async (scraper: keyof typeof published): Promise<void> => {
    const page = await (await run.get("/metrics")).text();
    for (const { path, truth, wraps } of zones) {
      const joules = valueOf(page, "rapl_energy_joules_total", { path });
      if (joules === undefined) continue;
      assertEquals(joules, Number(truth) / 1e6);
      assertEquals(valueOf(page, "rapl_energy_wraps_total", { path }), wraps);
      published[scraper].set(path, joules);
    }
    const node = valueOf(page, "rapl_node_energy_joules_total");
    if (node !== undefined) {
      assertEquals(
        node,
        Number(zones.reduce((sum, { truth }) => sum + truth, 0n)) / 1e6,
      );
    }
  };

  for (let second = 1; second <= 3600; second++) {
    // Timers are never quite on time, and now and then the process hangs.
    const ms = second % 500 === 499 ? 5_300 : 1000 + Math.floor(random() * 40);
    run.clock.advance(ms);
    // Twice the driver is unloaded for three seconds; what is used meanwhile is nobody's to count.
    const sinceRestart = second % 1200;
    const isAway = second >= 1200 && second < 3600 && sinceRestart <= 3;
    if (isAway && sinceRestart === 0) {
      for (const { path } of zones) {
        errors.set(path.split("/").at(-1) ?? "", new Error("No such device (os error 19)"));
      }
      tree.remove("intel-rapl");
    }
    let hasWrapped = false;
    for (const zone of isAway ? [] : zones) {
      const step = BigInt(Math.floor(zone.watts * random() * 2 * ms * 1000));
      const next = (zone.shown + step) % zone.rangeMicrojoules;
      if (next < zone.shown) {
        zone.wraps++;
        hasWrapped = true;
      }
      zone.shown = next;
      zone.truth += step;
      tree.setEnergy(zone.path, next);
    }
    if (isAway && sinceRestart === 3) {
      for (const zone of zones) zone.shown = 0n;
      errors.clear();
      show();
    }
    if (!hasWrapped && second % 90 === 0) run.clock.wallClockMs += random() < 0.5 ? 7_200_000 : -7_200_000;
    if (second % 900 === 100) errors.set("intel-rapl:1", new Error("No data available (os error 61)"));
    if (second % 900 === 110) errors.clear();
    run.sampler.sample();
    if (second % 2 === 0) await scrape("fast");
    if (second % 15 === 0) await scrape("slow");
  }
  assertEquals(published.fast, published.slow);
  for (const { name, wraps } of zones) assertGreater(wraps, 1, `the counter of ${name} has to wrap`);
  assertGreater(published.fast.get(PACKAGE_0) ?? 0, 1_000_000);
});

/** PromQL's increase() without extrapolation: a value below the one before is a counter that began at 0. */
function increase(values: readonly number[]): number {
  return values.reduce((sum, value, index) => {
    const before = values[index - 1];
    return before === undefined ? sum : sum + (value < before ? value : value - before);
  }, 0);
}

Deno.test("killed and restarted at any moment, increase() never over-counts", () => {
  const random = pseudoRandom(7);
  for (let round = 0; round < 20; round++) {
    using tree = treeOf(PACKAGE_0);
    let shown = INTEL_RANGE_MICROJOULES - BigInt(Math.floor(random() * 3e9));
    let used = 0n;
    const scraped: number[] = [];
    let usedAtFirstScrape = 0n;
    const live = (seconds: number, run?: SamplerOnClock): void => {
      for (let second = 0; second < seconds; second++) {
        const step = BigInt(Math.floor(random() * 300e6));
        used += step;
        shown = (shown + step) % INTEL_RANGE_MICROJOULES;
        tree.setEnergy(PACKAGE_0, shown);
        run?.tick();
        if (!run || random() < 0.7) continue;
        if (scraped.length === 0) usedAtFirstScrape = used;
        scraped.push(Number(run.energyOf(PACKAGE_0)) / 1e6);
      }
    };
    live(3);
    for (let process = 0; process < 4; process++) {
      {
        using run = new SamplerOnClock(tree.root);
        live(1 + Math.floor(random() * 40), run);
      }
      live(Math.floor(random() * 20));
    }
    assertLessOrEqual(increase(scraped), Number(used - usedAtFirstScrape) / 1e6 + 1e-6);
  }
});
