import { assert, assertEquals, assertMatch } from "@std/assert";
import { METRICS } from "../../exporters/gpu/metrics.ts";
import { NVML_SYMBOLS } from "../../exporters/gpu/nvml_symbols.ts";

Deno.test("METRICS name functions that are called", () => {
  for (const { name, help } of Object.values(METRICS)) {
    for (const [symbol] of help.matchAll(/nvml[A-Z]\w+/g)) {
      assert(symbol in NVML_SYMBOLS, `${name}: ${symbol}`);
    }
  }
});

Deno.test("METRICS are of one GPU each, but for the counts of GPUs", () => {
  const ofAll = Object.values(METRICS).filter((metric) => !("labels" in metric)).map(({ name }) => name);
  assertEquals(ofAll, ["gpu_devices", "gpu_expected_devices"]);
  for (const metric of Object.values(METRICS)) {
    if ("labels" in metric) assertEquals(metric.labels.slice(0, 2), ["gpu", "uuid"], metric.name);
  }
});

Deno.test("METRICS in a raw unit that is not the base unit name it", () => {
  const units: Readonly<Record<string, string>> = {
    watts: "(mW)",
    joules_total: "(mJ)",
    hertz: "(MHz)",
    latency_seconds: "(us)",
    utilization_ratio: "(%)",
    capacity_ratio: "(%)",
    speed_ratio: "(%)",
  };
  const named = new Set<string>();
  for (const { name, help, range: [least, most] } of Object.values(METRICS)) {
    assert(least < most);
    assertMatch(help, /^[A-Z].*\.$/, name);
    for (const [suffix, unit] of Object.entries(units)) {
      if (!name.endsWith(suffix)) continue;
      assert(help.includes(unit), `${name}: ${help}`);
      named.add(suffix);
    }
  }
  assertEquals([...named].sort(), Object.keys(units).sort());
});
