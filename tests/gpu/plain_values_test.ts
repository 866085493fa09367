/** Plain values, from the stand-in library. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CHANGING, FIXED, MEASURED_PCIE } from "../../exporters/gpu/plain_values.ts";
import { openCollector } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { machine, STUB_OPTIONS } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "readPlainValues() omits memory that is more than the GPU has",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1, "gpu0 nvmlDeviceGetMemoryInfo_v2 8000 0 8000 8001\n"));
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    const bytes = ["total", "used", "free", "reserved"].map((part) =>
      sampleOf(page, `gpu_memory_${part}_bytes{`)
    );
    assertEquals(bytes, [8000, undefined, 8000, 0]);
    assertStringIncludes(collection.problems[0]?.message ?? "", "omitted: gpu_memory_used_bytes;");
  },
});

Deno.test({
  name: "readPlainValues() takes values that are rare but true",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(
      1,
      [
        "gpu0 nvmlDeviceGetTemperatureV 99",
        "gpu0 nvmlDeviceGetNumFans 1",
        "gpu0 nvmlDeviceGetFanSpeed_v2:0 104",
        "gpu0 nvmlDeviceGetUtilizationRates 100 100",
        "gpu0 nvmlDeviceGetEncoderStats 300 9000 4270000",
        "gpu0 nvmlDeviceGetMemoryInfo_v2 8000 0 0 8000",
        "gpu0 nvmlDeviceGetClockInfo:2 14001",
        "gpu0 nvmlDeviceGetPerformanceState 32",
        "gpu0 field:82 1 110",
      ].join("\n"),
    ));
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals(collection.problems, []);
    const gpu = 'gpu="0",uuid="GPU-0"';
    for (
      const [series, value] of [
        [`gpu_temperature_celsius{${gpu},sensor="gpu"}`, 99],
        [`gpu_temperature_celsius{${gpu},sensor="memory"}`, 110],
        [`gpu_fan_speed_ratio{${gpu},fan="0"}`, 1.04],
        [`gpu_utilization_ratio{${gpu}}`, 1],
        [`gpu_encoder_sessions{${gpu}}`, 300],
        [`gpu_encoder_average_latency_seconds{${gpu}}`, 4.27],
        [`gpu_memory_used_bytes{${gpu}}`, 8000],
        [`gpu_clock_hertz{${gpu},clock="memory"}`, 14_001_000_000],
        [`gpu_performance_state{${gpu}}`, undefined],
      ] as const
    ) assertEquals(sampleOf(page, series), value, series);
  },
});

Deno.test({
  name: "readPlainValues() reads the memory in use of a driver before R510, with what it reserves",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1, "gpu0 nvmlDeviceGetMemoryInfo 8000 7500 500\n"), {
      old: true,
    });
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    const bytes = ["total", "used", "free", "reserved"].map((part) =>
      sampleOf(page, `gpu_memory_${part}_bytes{`)
    );
    assertEquals(bytes, [8000, 500, 7500, undefined]);
    assertEquals(collection.problems, []);
  },
});

Deno.test("Every plain value has the labels of its metric, and a unit of its metric's name", () => {
  const calls = [...CHANGING, ...FIXED, ...MEASURED_PCIE];
  const values = calls.flatMap(({ values, otherwise }) => [...values, ...otherwise?.values ?? []]);
  assert(values.length > 30);
  for (const { metric, labels = {}, unit = "1" } of values) {
    assertEquals(["gpu", "uuid", ...Object.keys(labels)], metric.labels, metric.name);
    const [, suffix = ""] = metric.name.match(/_(watts|joules|ratio|hertz|per_second)$/) ?? [];
    assertEquals(
      unit,
      { watts: "mW", ratio: "%", hertz: "MHz", per_second: "KB/s" }[suffix] ?? "1",
      metric.name,
    );
  }
});
