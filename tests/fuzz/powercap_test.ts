/**
 * Random powercap trees that change at random between samples: whatever is in them, the pages parse, totals never
 * fall, and no power is out of this world.
 */
import { assert } from "@std/assert";
import { PowercapCollector } from "../../exporters/cpu/collector.ts";
import { RAPL_METRICS } from "../../exporters/cpu/metrics.ts";
import { PowercapSampler } from "../../exporters/cpu/sampler.ts";
import { CONTENT_TYPE, Exposition } from "../../lib/exposition.ts";
import { type Family, parseExposition } from "../support/exposition_parser.ts";
import { fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";

const ZONES = [
  "package-0",
  "package-1",
  "core",
  "uncore",
  "dram",
  "psys",
  "package-0-die-1",
  "x",
  "",
] as const;
const CONSTRAINTS = ["long_term", "short_term", "peak_power", "long_term_1", "long_term_2", ""] as const;
const FILES = [
  "name",
  "enabled",
  "max_energy_range_uj",
  "energy_uj",
  "constraint_0_name",
  "constraint_0_power_limit_uw",
  "constraint_0_time_window_us",
  "constraint_1_name",
  "constraint_1_power_limit_uw",
  "constraint_2_name",
  "constraint_2_power_limit_uw",
  "constraint_00_name",
  "constraint_x_name",
  "power",
] as const;

const COUNTERS = Object.values(RAPL_METRICS).filter(({ type }) => type === "counter");

/** What a file may hold: mostly what the kernel writes there. */
function randomContent(random: Random, name: string): string | Uint8Array {
  if (random.chance(0.04)) return random.bytes(random.int(0, 300));
  if (random.chance(0.04)) return random.text(random.int(0, 300));
  if (random.chance(0.04)) {
    return random.pick(["", "\n", "-1", "0x10", "1e6", " 7", "7 8", "9".repeat(21), "0"]);
  }
  if (name === "name") return `${random.pick(ZONES)}\n`;
  if (name.endsWith("_name")) return `${random.pick(CONSTRAINTS)}\n`;
  if (name === "enabled") return `${random.int(0, 1)}\n`;
  if (name === "max_energy_range_uj") {
    return random.pick(["262143328850\n", "65532610987\n", "1000\n", "0\n"]);
  }
  return `${random.int(0, 300_000_000_000)}\n`;
}

function writeFile(random: Random, path: string, name: string): void {
  if (random.chance(0.02)) return Deno.mkdirSync(path, { recursive: true });
  if (random.chance(0.02)) return Deno.symlinkSync(random.pick([".", "..", "nowhere", "energy_uj"]), path);
  Deno.writeFileSync(path, Uint8Array.from(bytesOf(randomContent(random, name))));
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

function folderName(random: Random, index: number): string {
  if (random.chance(0.05)) return random.text(random.int(1, 20)).replace(/[/\0]|^\.+$/g, "_");
  return random.pick([
    `intel-rapl:${index}`,
    `intel-rapl:0:${index}`,
    `intel-rapl-mmio:${index}`,
    "power",
    "dtpm",
  ]);
}

function writeTree(random: Random, folder: string, depth: number): void {
  Deno.mkdirSync(folder, { recursive: true });
  if (depth > 0 && random.chance(0.9)) {
    for (const name of FILES) {
      if (random.chance(0.85)) attempt(() => writeFile(random, `${folder}/${name}`, name));
    }
  }
  if (depth >= random.pick([2, 3, 3, 3, 12])) return;
  for (let index = random.int(0, depth === 0 ? 4 : 2); index > 0; index--) {
    attempt(() => writeTree(random, `${folder}/${folderName(random, index)}`, depth + 1));
  }
}

/** Two random writes may be in each other's way. */
function attempt(write: () => void): void {
  try {
    write();
  } catch (error) {
    assert(error instanceof Error && "code" in error, String(error));
  }
}

/** Changes the tree: counters go on, mostly, and now and then files and folders come, go or turn into nonsense. */
function change(random: Random, folder: string, elapsedMs: number): void {
  for (const entry of [...Deno.readDirSync(folder)]) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) change(random, path, elapsedMs);
    else if (entry.name === "energy_uj" && !entry.isSymlink && random.chance(0.95)) {
      advance(random, path, elapsedMs);
    } else if (random.chance(0.03)) attempt(() => writeFile(random, path, entry.name));
    if (random.chance(0.01)) attempt(() => Deno.removeSync(path, { recursive: true }));
  }
  if (random.chance(0.02)) attempt(() => writeTree(random, `${folder}/${folderName(random, 9)}`, 2));
}

function advance(random: Random, path: string, elapsedMs: number): void {
  const energy = Number(Deno.readTextFileSync(path));
  if (!Number.isSafeInteger(energy)) return;
  const added = Math.round(random.next() * 300 * elapsedMs * 1000);
  attempt(() => Deno.writeTextFileSync(path, `${(energy + added) % 262143328850}\n`));
}

/** Totals by series, to be compared with the page before. */
function totals(families: Map<string, Family>): Map<string, number> {
  const samples = COUNTERS.flatMap(({ name }) => families.get(name)?.samples ?? []);
  return new Map(samples.map(({ name, labels, value }) => [JSON.stringify([name, labels]), value]));
}

Deno.test("Random powercap trees give pages that parse and totals that never fall", async () => {
  await fuzz("powercap", async (random) => {
    const root = await Deno.makeTempDir();
    let nowMs = 1000;
    try {
      writeTree(random, root, 0);
      const sampler = new PowercapSampler(root, { monotonicMs: () => nowMs, wallClockMs: () => nowMs });
      const collector = new PowercapCollector(sampler);
      let before = new Map<string, number>();
      for (let sample = 0; sample < 30; sample++) {
        const exposition = new Exposition();
        const { snapshot, problems } = collector.collect();
        for (const format of ["text", "openmetrics"] as const) {
          const page = await exposition.render([snapshot], format);
          const families = parseExposition(page, CONTENT_TYPE[format]);
          if (format === "openmetrics") continue;
          for (const { value } of families.get(RAPL_METRICS.power.name)?.samples ?? []) {
            assert(value >= 0 && value <= 5000, `power is ${value} W`);
          }
          const after = totals(families);
          for (const [series, value] of before) {
            assert(
              (after.get(series) ?? value) >= value,
              `${series} fell from ${value} to ${after.get(series)}`,
            );
          }
          before = new Map([...before, ...after]);
        }
        for (const { reason, message } of problems) {
          assert(/^[a-z_]+$/.test(reason), reason);
          assert(message.length > 10, message);
        }
        const elapsedMs = random.pick([1000, 1000, 1000, 1000, 1, 0, 30_000, 4_000_000]);
        change(random, root, elapsedMs);
        nowMs += elapsedMs;
        sampler.sample();
      }
      sampler.stop();
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  });
});
