/**
 * How the cost of RAPL grows with the number of zones: a sample of all counters, a walk through the tree, a page.
 *
 * @module
 */
import { PowercapCollector } from "../exporters/cpu/collector.ts";
import { walkPowercap } from "../exporters/cpu/powercap.ts";
import { PowercapSampler } from "../exporters/cpu/sampler.ts";
import { Exposition } from "../lib/exposition.ts";
import { INTEL_RANGE_MICROJOULES, PowercapTree } from "../simulation/powercap_tree.ts";
import { type Findings, median, type Row } from "./harness.ts";

const PACKAGES = [1, 2, 8, 32];
const ZONES_PER_PACKAGE = 4;
const ROUNDS = 300;

/** Measures. */
export async function bench(): Promise<Findings> {
  const rows: Record<string, Row> = {};
  for (const packages of PACKAGES) rows[`${packages * ZONES_PER_PACKAGE} zones`] = await measure(packages);
  return {
    versions: { deno: Deno.version.deno },
    rows,
    notes: [
      `Packages of ${ZONES_PER_PACKAGE} zones with two limits each; medians of ${ROUNDS} rounds in one process`,
      "The exporter takes a sample every second and walks the tree every tenth time",
    ],
  };
}

async function measure(packages: number): Promise<Row> {
  const root = await Deno.makeTempDir({ prefix: "bench-zones-" });
  try {
    using tree = new PowercapTree(root);
    writeZones(tree, packages);
    const sampler = new PowercapSampler(root);
    const collector = new PowercapCollector(sampler);
    const exposition = new Exposition();
    const times = { sample_us: [] as number[], walk_us: [] as number[], page_us: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.sample_us.push(await microseconds(() => sampler.sample()));
      times.walk_us.push(await microseconds(() => walkPowercap(root)));
      times.page_us.push(await microseconds(() => exposition.render([collector.collect().snapshot], "text")));
    }
    sampler.stop();
    return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function writeZones(tree: PowercapTree, packages: number): void {
  const limits = [
    { name: "long_term", limitMicrowatts: 125_000_000, windowMicroseconds: 28_000_000 },
    { name: "short_term", limitMicrowatts: 200_000_000, windowMicroseconds: 2_440 },
  ];
  const zone = { energyMicrojoules: 1_000_000n, rangeMicrojoules: INTEL_RANGE_MICROJOULES, enabled: true };
  for (let index = 0; index < packages; index++) {
    const path = `intel-rapl/intel-rapl:${index}`;
    tree.add({ ...zone, path, name: `package-${index}`, limits });
    for (const [part, name] of ["core", "uncore", "dram"].entries()) {
      tree.add({ ...zone, path: `${path}/intel-rapl:${index}:${part}`, name });
    }
  }
}

async function microseconds(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) * 1000;
}
