import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { EnergyFile, walkPowercap, type Zone } from "../../exporters/cpu/powercap.ts";
import { SourceError } from "../../lib/collector.ts";
import { TemporaryTree } from "../support/powercap.ts";

/** What identifies each zone. */
function outline(zones: readonly Zone[]): string[] {
  return zones.map((zone) => `${zone.path} ${zone.name} of "${zone.packageId}"`);
}

Deno.test("walkPowercap() finds nested zones, dies, psys, dram and the mmio twin, in numeric order", () => {
  const place = "intel-rapl/intel-rapl";
  const limits = [{ name: "long_term", limitMicrowatts: 250_000_000, windowMicroseconds: 999_424 }];
  using tree = new TemporaryTree([
    { path: `${place}:10`, name: "package-10-die-1", energyMicrojoules: 1n, limits },
    { path: `${place}:0`, name: "package-0-die-0", energyMicrojoules: 1n, limits },
    { path: `${place}:0/intel-rapl:0:1`, name: "dram", energyMicrojoules: 1n },
    { path: `${place}:0/intel-rapl:0:0`, name: "core", energyMicrojoules: 1n },
    { path: `${place}:0/intel-rapl:0:0/intel-rapl:0:0:0`, name: "deeper", energyMicrojoules: 1n },
    { path: `${place}:2`, name: "psys", energyMicrojoules: 1n },
    { path: `${place}:3`, name: "psys-1", energyMicrojoules: 1n },
    { path: "intel-rapl-mmio/intel-rapl-mmio:0", name: "package-0", energyMicrojoules: 1n },
  ]);
  assertEquals(outline(walkPowercap(tree.root).zones), [
    'intel-rapl/intel-rapl:0 package-0-die-0 of "0"',
    'intel-rapl/intel-rapl:0/intel-rapl:0:0 core of "0"',
    'intel-rapl/intel-rapl:0/intel-rapl:0:0/intel-rapl:0:0:0 deeper of "0"',
    'intel-rapl/intel-rapl:0/intel-rapl:0:1 dram of "0"',
    'intel-rapl/intel-rapl:2 psys of ""',
    'intel-rapl/intel-rapl:3 psys-1 of "1"',
    'intel-rapl/intel-rapl:10 package-10-die-1 of "10"',
    'intel-rapl-mmio/intel-rapl-mmio:0 package-0 of "0"',
  ]);
});

Deno.test("walkPowercap() passes over what is no zone, and follows no link", () => {
  using tree = new TemporaryTree([
    { path: "intel-rapl/intel-rapl:0", name: "package-0", energyMicrojoules: 1n },
    { path: "dtpm/dtpm:0", name: "a zone with power and no energy" },
    { path: "idle_inject/idle", enabled: true },
  ]);
  Deno.writeTextFileSync(`${tree.root}/uevent`, "");
  Deno.mkdirSync(`${tree.root}/odd/energy_uj`, { recursive: true });
  Deno.symlinkSync("../../../class/powercap", `${tree.root}/intel-rapl/intel-rapl:0/subsystem`);
  Deno.symlinkSync("..", `${tree.root}/intel-rapl/intel-rapl:0/device`);
  Deno.symlinkSync("intel-rapl:0", `${tree.root}/intel-rapl/intel-rapl:1`);
  assertEquals(outline(walkPowercap(tree.root).zones), ['intel-rapl/intel-rapl:0 package-0 of "0"']);
});

Deno.test("walkPowercap() keeps zones with equal, odd or missing names apart by their path", () => {
  using tree = new TemporaryTree([
    { path: "a/a:0", name: "package-0", energyMicrojoules: 1n },
    { path: "a/a:1", name: "package-0", energyMicrojoules: 1n },
    { path: "a/a:2", name: 'quoted "name" \\ with\nline feed', energyMicrojoules: 1n },
    { path: "a/a:3", name: "", energyMicrojoules: 1n },
    { path: "a/a:4", energyMicrojoules: 1n },
    { path: "a/a:5 leer ü", name: "package-x", energyMicrojoules: 1n },
  ]);
  assertEquals(outline(walkPowercap(tree.root).zones), [
    'a/a:0 package-0 of "0"',
    'a/a:1 package-0 of "0"',
    'a/a:2 quoted "name" \\ with\nline feed of ""',
    'a/a:3 a:3 of ""',
    'a/a:4 a:4 of ""',
    'a/a:5 leer ü package-x of ""',
  ]);
});

Deno.test("walkPowercap() reads limits, range and enabled, and omits what a zone does not have", () => {
  const limits = [
    { name: "long_term", limitMicrowatts: 125_000_000, windowMicroseconds: 27_983_872 },
    { name: "peak_power", limitMicrowatts: 250_000_000 },
    { name: "long_term", limitMicrowatts: 1 },
  ];
  using tree = new TemporaryTree([
    { path: "r/r:0", name: "package-0", energyMicrojoules: 1n, rangeMicrojoules: 99n, enabled: true, limits },
    { path: "r/r:1", name: "package-1", energyMicrojoules: 1n, rangeMicrojoules: 0n, enabled: false },
    { path: "r/r:2", name: "package-2", energyMicrojoules: 1n },
  ]);
  Deno.writeTextFileSync(`${tree.root}/r/r:2/max_energy_range_uj`, "none\n");
  Deno.mkdirSync(`${tree.root}/r/r:2/enabled`);
  const zones = walkPowercap(tree.root).zones;
  assertEquals(zones.map((zone) => [zone.rangeMicrojoules, zone.enabled, zone.limits]), [
    [99n, true, [
      { constraint: "long_term", limitMicrowatts: 125_000_000, windowMicroseconds: 27_983_872 },
      { constraint: "peak_power", limitMicrowatts: 250_000_000, windowMicroseconds: undefined },
      { constraint: "long_term_2", limitMicrowatts: 1, windowMicroseconds: undefined },
    ]],
    [undefined, false, []],
    [undefined, undefined, []],
  ]);
});

Deno.test("walkPowercap() keeps constraints apart whatever they are called", () => {
  const limits = ["long_term_2", "long_term", "long_term"].map((name) => ({ name, limitMicrowatts: 1 }));
  using tree = new TemporaryTree([{ path: "r/r:0", name: "package-0", energyMicrojoules: 1n, limits }]);
  const [zone] = walkPowercap(tree.root).zones;
  assertEquals(zone?.limits.map(({ constraint }) => constraint), [
    "long_term_2",
    "long_term",
    "long_term_2_2",
  ]);
});

Deno.test("walkPowercap() ends in a tree that is too deep", () => {
  using tree = new TemporaryTree([{ path: "z/".repeat(30) + "end", name: "x", energyMicrojoules: 1n }]);
  assertEquals(assertThrows(() => walkPowercap(tree.root), SourceError).reason, "no_zones");
});

const USELESS: Record<string, [prepare: (root: string) => void, reason: string, advice: string]> = {
  "a missing tree": [
    () => {},
    "missing",
    "mount --bind /sys/devices/virtual/powercap",
  ],
  "an empty tree": [(root) => Deno.mkdirSync(root), "empty", "virtual machine"],
  "a tree of links": [
    (root) => (Deno.mkdirSync(root), Deno.symlinkSync("../../nowhere", `${root}/intel-rapl`)),
    "links",
    "/sys/class/powercap",
  ],
  "a tree without zones": [
    (root) => Deno.mkdirSync(`${root}/intel-rapl/power`, { recursive: true }),
    "no_zones",
    "modprobe",
  ],
  "a file": [
    (root) => Deno.writeTextFileSync(root, ""),
    "invalid",
    "Not a directory",
  ],
};

for (const [name, [prepare, reason, advice]] of Object.entries(USELESS)) {
  Deno.test(`walkPowercap() explains what to do about ${name}`, () => {
    const folder = Deno.makeTempDirSync({ prefix: "powercap-test-" });
    const root = `${folder}/tree`;
    try {
      prepare(root);
      const error = assertThrows(() => walkPowercap(root), SourceError);
      assertEquals(error.reason, reason);
      assertStringIncludes(error.message, root);
      assertStringIncludes(error.message, advice);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test({
  name: "walkPowercap() names the flag when Deno does not let it read the tree",
  permissions: { read: false },
  fn: () => {
    const error = assertThrows(() => walkPowercap("/run/elsewhere"), SourceError);
    assertEquals(error.reason, "permission");
    assertStringIncludes(error.message, "--allow-read");
    const system = assertThrows(() => walkPowercap("/sys/devices/virtual/powercap"), SourceError);
    assertStringIncludes(system.message, "mount --bind");
  },
});

Deno.test("EnergyFile.read() reads the counter again each time", () => {
  using tree = new TemporaryTree([{ path: "r/r:0", energyMicrojoules: 12_345_678_901_234_567_890n }]);
  using file = new EnergyFile(`${tree.root}/r/r:0/energy_uj`);
  assertEquals(file.read(), 12_345_678_901_234_567_890n);
  tree.setEnergy("r/r:0", 7n);
  assertEquals(file.read(), 7n);
});

for (const text of ["", "\n", "-1", "1.5", "12 34", "0x10", "9".repeat(21), "nan", "9".repeat(100)]) {
  Deno.test(`EnergyFile.read() refuses ${JSON.stringify(text)}`, () => {
    using tree = new TemporaryTree([{ path: "r/r:0", energyMicrojoules: 1n }]);
    Deno.writeTextFileSync(`${tree.root}/r/r:0/energy_uj`, text);
    using file = new EnergyFile(`${tree.root}/r/r:0/energy_uj`);
    assertInstanceOf(assertThrows(() => file.read()), SyntaxError);
  });
}
