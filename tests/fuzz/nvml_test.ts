/**
 * A driver that answers anything at all: whatever it writes and however it ends its calls, the page parses, and
 * no value is one that no GPU can have.
 */
import { assert } from "@std/assert";
import { NVML_SYMBOLS, type NvmlSymbols } from "../../exporters/gpu/nvml_symbols.ts";
import { CONTENT_TYPE, Exposition } from "../../lib/exposition.ts";
import { type Family, parseExposition } from "../support/exposition_parser.ts";
import { fuzz } from "../support/fuzz.ts";
import { openCollector } from "../support/gpu_collector.ts";
import type { Random } from "../support/random.ts";

const SUCCESS = 0;
const TIMEOUT = 10;
const CODES = [1, 2, 3, 3, 3, 4, 6, 7, 9, 13, 15, 16, 18, 21, 25, 28, 999, -1, 31, 2147483647] as const;

/** Functions that mostly succeed, write what may be anything, and some of them missing. */
function randomDriver(random: Random): NvmlSymbols {
  const quality = random.pick([0.3, 0.7, 0.95, 1]);
  return Object.fromEntries(
    Object.keys(NVML_SYMBOLS).map((name) => {
      if (!/Init|Count|HandleByIndex/.test(name) && random.chance(0.1)) return [name, null];
      return [name, (...args: unknown[]) => {
        if (name === "nvmlInit_v2") {
          return Promise.resolve(random.chance(0.95) ? SUCCESS : random.pick(CODES));
        }
        for (const bytes of args) if (bytes instanceof Uint8Array) write(random, bytes, name);
        const code = random.chance(quality) ? SUCCESS : random.pick(CODES);
        if (name !== "nvmlEventSetWait_v2") return Promise.resolve(code);
        return new Promise((resolve) => setTimeout(() => resolve(random.chance(0.5) ? code : TIMEOUT), 1));
      }];
    }),
  ) as unknown as NvmlSymbols;
}

function write(random: Random, bytes: Uint8Array, name: string): void {
  if (random.chance(0.1)) return;
  if (name === "nvmlDeviceGetCount_v2") {
    // A machine does not grow by thousands of GPUs, and reading so many takes its time.
    new DataView(bytes.buffer).setUint32(0, random.pick([1, 2, 2, 2, 3]), true);
  } else if (random.chance(0.5)) {
    // Small numbers are taken for real more often.
    for (let at = 0; at + 4 <= Math.min(bytes.length, 256); at += 4) {
      new DataView(bytes.buffer).setUint32(
        at,
        random.pick([0, 0, 1, 1, 2, 3, 7, 40, 100, 4_000_000_000]),
        true,
      );
    }
  } else bytes.set(random.bytes(Math.min(bytes.length, random.int(0, 256))));
}

/** The largest value of the gauges whose names end so, far below what a driver without a value writes. */
const MOST: Readonly<Record<string, number>> = {
  _fan_speed_ratio: 10,
  _ratio: 1,
  _celsius: 200,
  _watts: 100_000,
  _hertz: 1e12,
  _fps: 1e6,
  _latency_seconds: 3600,
  _per_second: 1e13,
  _state: 15,
  _pending: 1,
  _failed: 1,
  _reason: 1,
  _bytes: 1e14,
};

function assertPossible(families: ReadonlyMap<string, Family>): void {
  const total = new Map<string | undefined, number>();
  for (const { labels, value } of families.get("gpu_memory_total_bytes")?.samples ?? []) {
    total.set(labels.gpu, value);
  }
  for (const [name, { samples }] of families) {
    const end = Object.keys(MOST).find((end) => name.endsWith(end));
    for (const { labels, value } of samples) {
      const most = Math.min(
        MOST[end ?? ""] ?? Infinity,
        /^gpu_memory_\w+_bytes$/.test(name) ? total.get(labels.gpu) ?? Infinity : Infinity,
      );
      assert(value <= most && value >= 0, `${name} is ${value}`);
    }
  }
}

Deno.test("A driver that answers anything gives pages that parse, with possible values", async () => {
  await fuzz("nvml", async (random) => {
    await using test = openCollector(randomDriver(random), {
      processes: random.chance(0.5),
      measurePcie: random.chance(0.5),
      deadlineMs: 5000,
    });
    const exposition = new Exposition();
    for (let scrape = 0; scrape < 4; scrape++) {
      const { snapshot, up, problems } = await test.collector.collect();
      for (const format of ["text", "openmetrics"] as const) {
        const families = parseExposition(await exposition.render([snapshot], format), CONTENT_TYPE[format]);
        assert(families.has("gpu_devices"));
        assert(families.has("gpu_expected_devices"));
        assertPossible(families);
      }
      assert(up || problems.length > 0, "down without a reason");
      test.advance(random.pick([0, 0, 3000, 400_000]));
    }
  });
});
