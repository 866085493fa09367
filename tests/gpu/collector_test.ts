/** The collector on the stand-in library: GPUs that hang, are lost, come and go, and drivers that write garbage. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Collector } from "../../lib/collector.ts";
import { createFakeSymbols, type FakeGpu } from "../../simulation/nvml_fake.ts";
import { eventually } from "../support/exporter_process.ts";
import { openCollector, stubStats } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { NvmlStub, readScript } from "../support/nvml_stub.ts";
import { needs } from "../support/programs.ts";

/** The library stays open on purpose. */
const OPTIONS = { ...needs("cc"), sanitizeResources: false };

function machine(gpus: number, extra = ""): string {
  const lines = ["sys max_wait_ms 20", `sys nvmlDeviceGetCount_v2 ${gpus}`];
  for (let gpu = 0; gpu < gpus; gpu++) {
    lines.push(
      `gpu${gpu} nvmlDeviceGetUUID GPU-${gpu}`,
      `gpu${gpu} nvmlDeviceGetPowerUsage ${1000 * (gpu + 1)}`,
    );
  }
  return `${lines.join("\n")}\ngpu* nvmlDeviceGetName Card\n${extra}`;
}

function power(page: string, gpu: number): number | undefined {
  return sampleOf(page, `gpu_power_watts{gpu="${gpu}",uuid="GPU-${gpu}"}`);
}

function up(page: string, gpu: number, uuid = `GPU-${gpu}`): number | undefined {
  return sampleOf(page, `gpu_up{gpu="${gpu}",uuid="${uuid}"}`);
}

Deno.test({
  name: "NvmlCollector shows the other GPUs while one hangs, and makes no second call to it",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(3));
    await using test = openCollector(stub, { deadlineMs: 100 });
    assertEquals(up((await test.collect()).page, 1), 1);
    stub.script = machine(3, "gpu1 nvmlDeviceGetPowerUsage hang\n");
    for (let scrape = 0; scrape < 5; scrape++) {
      const startedMs = performance.now();
      const { page, collection } = await test.collect();
      const tookMs = performance.now() - startedMs;
      assert(tookMs < (scrape === 0 ? 1000 : 90), `scrape ${scrape} took ${tookMs} ms`);
      assertEquals([0, 1, 2].map((gpu) => up(page, gpu)), [1, 0, 1]);
      assertEquals([0, 1, 2].map((gpu) => power(page, gpu)), [1, undefined, 3]);
      assertEquals(collection.up, true);
      assertEquals(collection.problems.map(({ reason }) => reason), ["timeout"]);
      assertStringIncludes(collection.problems[0]?.message ?? "", "GPU 1 hangs: nvmlDeviceGetPowerUsage");
    }
    assertEquals(stubStats(stub).mostInsideGpu, 1);
    stub.script = machine(3);
    await eventually(async () => assertEquals(up((await test.collect()).page, 1), 1));
    assertEquals(stubStats(stub).mostInsideGpu, 1);
    assertEquals(stubStats(stub).inits, 1);
  },
});

Deno.test({
  name: "NvmlCollector shows the GPUs while a call that concerns none of them hangs",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2));
    await using test = openCollector(stub, { deadlineMs: 50 });
    await test.collect();
    stub.script = machine(2, "sys nvmlDeviceGetCount_v2 hang\n");
    const { page, collection } = await test.collect();
    assertEquals([up(page, 0), up(page, 1)], [1, 1]);
    assertMatch(
      collection.problems[0]?.message ?? "",
      /^The NVIDIA driver hangs: nvmlDeviceGetCount_v2 does not/,
    );
    stub.script = machine(2);
    await eventually(async () => assertEquals((await test.collect()).collection.problems, []));
  },
});

Deno.test({
  name:
    "NvmlCollector survives a driver that hangs while it starts, and a GPU that hangs while it is attached",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2, "sys nvmlInit_v2 hang\n"));
    await using test = openCollector(stub, { deadlineMs: 50, openDeadlineMs: 50 });
    const { page, collection } = await test.collect();
    assertEquals([collection.up, sampleOf(page, "gpu_devices")], [false, 0]);
    assertEquals(collection.problems.map(({ reason }) => reason), ["timeout"]);
    stub.script = machine(2, "gpu1 nvmlDeviceGetHandleByIndex_v2 hang\n");
    await eventually(async () => {
      test.advance(70_000);
      const { page } = await test.collect();
      assertEquals([up(page, 0), up(page, 1, "")], [1, 0]);
    });
    stub.script = machine(2);
    await eventually(async () => assertEquals(up((await test.collect()).page, 1), 1));
    // Each start that succeeded, also the one that nobody waited for, is ended before NVML starts anew.
    stub.script = machine(2, "gpu1 * !15\n");
    await test.collect();
    await eventually(async () => {
      assertEquals(stubStats(stub).inits, 3);
      assertEquals(up((await test.collect()).page, 0), 1);
    });
  },
});

Deno.test({
  name: "NvmlCollector does without Xids where registering for them fails",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1, "gpu0 nvmlDeviceRegisterEvents !999\nevent 1 gpu0 8 79\n"));
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals([up(page, 0), collection.problems], [1, []]);
    assertEquals((await test.collect()).page.includes("gpu_xid"), false);
  },
});

Deno.test({
  name: "NvmlCollector starts over when a GPU is lost, and shows it again once it is back",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2));
    await using test = openCollector(stub);
    await test.collect();
    stub.script = machine(2, "gpu1 * !15\n");
    const { page, collection } = await test.collect();
    assertEquals([up(page, 0), up(page, 1)], [1, 0]);
    assertEquals(sampleOf(page, "gpu_devices"), 1);
    assertEquals(sampleOf(page, "gpu_expected_devices"), 2);
    assertEquals(collection.problems.map(({ reason }) => reason), ["lost"]);
    await eventually(async () => {
      assertEquals(up((await test.collect()).page, 1), 0);
      assertEquals(stubStats(stub).inits, 2);
    });
    stub.script = machine(2);
    // It answers again within the same session, without waiting for the next start.
    assertEquals(up((await test.collect()).page, 1), 1);
  },
});

Deno.test({
  name: "NvmlCollector starts over after a reset of the driver, later after each try in vain",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1));
    await using test = openCollector(stub);
    await test.collect();
    const broken = machine(1, "gpu0 * !9\nsys nvmlInit_v2 !9\nsys nvmlDeviceGetCount_v2 !9\n");
    stub.script = broken;
    await eventually(async () => {
      const { page, collection } = await test.collect();
      assertEquals(collection.up, false);
      assertStringIncludes(collection.problems[0]?.message ?? "", "The NVIDIA driver is unavailable");
      assertEquals(up(page, 0), 0);
      assertEquals(sampleOf(page, "gpu_devices"), 0);
      assertEquals(sampleOf(page, "gpu_expected_devices"), 1);
    });
    const { calls } = stubStats(stub);
    await test.collect();
    assertEquals(stubStats(stub).calls, calls, "the driver is not asked again at once");
    stub.script = machine(1);
    test.advance(70_000);
    const { page, collection } = await test.collect();
    assertEquals([collection.up, up(page, 0), power(page, 0)], [true, 1, 1]);
  },
});

Deno.test({
  name: "NvmlCollector notices a GPU that is added or removed",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1));
    await using test = openCollector(stub);
    await test.collect();
    stub.script = machine(2);
    await eventually(async () => assertEquals(power((await test.collect()).page, 1), 2));
    stub.script = machine(1);
    test.advance(70_000);
    await eventually(async () => {
      test.advance(70_000);
      const { page, collection } = await test.collect();
      assertEquals(collection.problems.map(({ reason }) => reason), ["gone"]);
      assertEquals([up(page, 0), up(page, 1)], [1, 0]);
      assertEquals(sampleOf(page, "gpu_expected_devices"), 2);
      assertEquals(power(page, 1), undefined);
    });
    stub.script = machine(0);
    await eventually(async () => {
      test.advance(400_000);
      const { page, collection } = await test.collect();
      assertEquals(collection.problems.map(({ reason }) => reason), ["gone", "gone"]);
      assertEquals([sampleOf(page, "gpu_devices"), sampleOf(page, "gpu_expected_devices")], [0, 2]);
    });
  },
});

Deno.test({
  name: "NvmlCollector does not start over for a GPU that it may not open",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2, "gpu1 * !4\n"));
    await using test = openCollector(stub);
    for (let scrape = 0; scrape < 3; scrape++) {
      const { page, collection } = await test.collect();
      assertEquals([up(page, 0), up(page, 1, "")], [1, 0]);
      assertEquals([sampleOf(page, "gpu_devices"), sampleOf(page, "gpu_expected_devices")], [1, 2]);
      assertEquals(collection.problems.map(({ reason }) => reason), ["permission"]);
      assertStringIncludes(collection.problems[0]?.message ?? "", "let this user open /dev/nvidiactl");
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    assertEquals(stubStats(stub).inits, 1);
  },
});

Deno.test({
  name:
    "NvmlCollector makes PCIe rates of 64-bit counters only, and measures on request where there are none",
  ...OPTIONS,
  fn: async () => {
    const rates = (page: string): (number | undefined)[] =>
      ["rx", "tx"].map((direction) =>
        sampleOf(
          page,
          `gpu_pcie_throughput_bytes_per_second{gpu="0",uuid="GPU-0",direction="${direction}"}`,
        )
      );
    const counters = (type: number, tx: number, rx: number): string =>
      machine(1, `gpu0 field:197 ${type} ${tx}\ngpu0 field:198 ${type} ${rx}\n`);
    using stub = await NvmlStub.create(counters(3, 1_000_000, 5_000_000));
    await using test = openCollector(stub);
    const startedMs = performance.now();
    assertEquals(rates((await test.collect()).page), [undefined, undefined]);
    stub.script = counters(3, 3_000_000, 4_000_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const [rx, tx = NaN] = rates((await test.collect()).page);
    // What fell has wrapped or begun anew.
    assertEquals(rx, undefined);
    assert(
      tx > 2_000_000 / (performance.now() - startedMs) * 1000 && tx < 2_000_000 / 0.02 * 1.1,
      `${tx} B/s`,
    );
    // 32 bits wrap within a second: such a counter tells nothing.
    stub.script = counters(1, 9_000_000, 9_000_000);
    for (let scrape = 0; scrape < 2; scrape++) {
      assertEquals(rates((await test.collect()).page), [undefined, undefined]);
    }
    using other = await NvmlStub.create(
      machine(1, "gpu0 nvmlDeviceGetPcieThroughput:0 812\ngpu0 nvmlDeviceGetPcieThroughput:1 1934\n"),
    );
    await using measuring = openCollector(other, { measurePcie: true });
    assertEquals(rates((await measuring.collect()).page), [1_934_000, 812_000]);
  },
});

Deno.test({
  name:
    "NvmlCollector makes PCIe rates of the moments at which the counters were read, however long calls take",
  ...OPTIONS,
  fn: async () => {
    // Two gigabytes a second by a clock that moves in calls only: the counters are read before all slow ones.
    const gpu: FakeGpu = { uuid: "GPU-0", name: "Card", pciBusId: "0", powerMilliwatts: 1000 };
    const symbols = createFakeSymbols({ driverVersion: "1", gpus: [gpu] });
    let nowMs = 0;
    const fields = symbols.nvmlDeviceGetFieldValues;
    const power = symbols.nvmlDeviceGetPowerUsage;
    let fieldsTakeMs = 0, powerTakesMs = 0;
    await using test = openCollector({
      ...symbols,
      nvmlDeviceGetFieldValues: (...args) => {
        nowMs += fieldsTakeMs;
        const bytes = BigInt(Math.round(nowMs * 2e6));
        gpu.fields = { 197: bytes, 198: bytes };
        return fields?.(...args) ?? Promise.resolve(13);
      },
      nvmlDeviceGetPowerUsage: (...args) => {
        nowMs += powerTakesMs;
        return power?.(...args) ?? Promise.resolve(13);
      },
    }, { monotonicMs: () => nowMs });
    const rates: (number | undefined)[] = [];
    for (const takesMs of [0, 400, 0, 20, 900, 0, 0]) {
      powerTakesMs = takesMs;
      fieldsTakeMs = takesMs > 500 ? takesMs : 0;
      nowMs += 2000;
      const { page } = await test.collect();
      rates.push(sampleOf(page, 'gpu_pcie_throughput_bytes_per_second{gpu="0",uuid="GPU-0",direction="rx"}'));
    }
    // Where reading the counters itself takes long, the interval before and after is not known.
    assertEquals(rates, [undefined, 2e9, 2e9, 2e9, undefined, undefined, 2e9]);
  },
});

Deno.test({
  name: "NvmlCollector counts Xids across sessions, those of a lost GPU too",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2));
    await using test = openCollector(stub);
    await test.collect();
    stub.script = machine(2, "event 1 gpu1 8 31\nevent 2 gpu1 8 31\nevent 3 gpu1 8 79\nevent 4 gpu0 256 1\n");
    await eventually(async () => {
      const { page } = await test.collect();
      assertEquals(sampleOf(page, 'gpu_xid_errors_total{gpu="1",uuid="GPU-1",xid="31"}'), 2);
      assertEquals(sampleOf(page, 'gpu_xid_errors_total{gpu="1",uuid="GPU-1",xid="79"}'), 1);
      assertEquals(page.includes('gpu_xid_errors_total{gpu="0"'), false);
    });
    stub.script = machine(2, "gpu1 * !15\n");
    await eventually(async () => {
      const { page } = await test.collect();
      assertEquals(stubStats(stub).inits, 2);
      assertEquals(sampleOf(page, 'gpu_xid_errors_total{gpu="1",uuid="GPU-1",xid="31"}'), 2);
    });
  },
});

Deno.test({
  name: "NvmlCollector drops only what a call refuses, and says so unless it is not supported",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(
      machine(1, "gpu0 nvmlDeviceGetTemperatureV !999\ngpu0 nvmlDeviceGetTemperature:0 !999\n"),
    );
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals([collection.up, up(page, 0), power(page, 0)], [true, 1, 1]);
    assertEquals(collection.problems, [{
      reason: "call_failed",
      message: "GPU 0: some readings failed: nvmlDeviceGetTemperatureV returned UNKNOWN (999), " +
        'nvmlDeviceGetTemperature returned UNKNOWN (999); see "nvidia-smi -q" and "dmesg"',
    }]);
    assertEquals(page.includes("gpu_temperature_celsius"), false);
    assertEquals(page.includes("gpu_utilization_ratio"), false);
  },
});

Deno.test({
  name: "NvmlCollector survives garbage: counts above the buffer, text without end, unknown codes",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(
      1,
      [
        `gpu0 nvmlDeviceGetName hex:${"ff".repeat(96)}`,
        `gpu0 nvmlDeviceGetPciInfo_v3 hex:${"41".repeat(32)}`,
        "gpu0 nvmlDeviceGetEncoderStats 5000 1 1",
        "gpu0 nvmlDeviceGetEncoderSessions claim 5000000",
        "gpu0 nvmlDeviceGetComputeRunningProcesses_v3 claim 4000000000",
        "gpu0 nvmlDeviceGetGraphicsRunningProcesses_v3 0 0 0 0",
        "gpu0 nvmlDeviceGetProcessUtilization claim 70000",
        "gpu0 nvmlDeviceGetNumFans 4000000000",
        "gpu0 nvmlDeviceGetPerformanceState 32",
        "gpu0 nvmlDeviceGetMigMode 1 1",
        "gpu0 nvmlDeviceGetMaxMigDeviceCount 4000000000",
        "gpu0 nvmlDeviceGetUtilizationRates !12345",
        "gpu0 field:82 77 45",
        "gpu0 field:83 3 18446744073709551615",
      ].join("\n"),
    ));
    await using test = openCollector(stub, { processes: true });
    const { page, collection } = await test.collect();
    assertEquals([up(page, 0), power(page, 0)], [1, 1]);
    assertEquals(collection.problems.map(({ reason }) => reason), ["call_failed", "invalid"]);
    assertMatch(page, /gpu_info\{.*name="\ufffd{96}",pci_bus_id="A{32}"/);
    for (const absent of ["gpu_performance_state{", "gpu_temperature_celsius{", "gpu_encoder_session_fps{"]) {
      assertEquals(page.includes(absent), false, absent);
    }
    assertEquals(sampleOf(page, "gpu_processes{"), 0);
  },
});

/** A GPU none of whose values can be, some by one. */
const LIES = [
  "gpu0 nvmlDeviceGetPowerUsage 4294967295",
  "gpu0 nvmlDeviceGetEnforcedPowerLimit 4294967295",
  "gpu0 nvmlDeviceGetTemperatureV 4294967295",
  "gpu0 nvmlDeviceGetNumFans 1",
  "gpu0 nvmlDeviceGetFanSpeed_v2:0 4294967295",
  "gpu0 nvmlDeviceGetUtilizationRates 101 4294967295",
  "gpu0 nvmlDeviceGetEncoderUtilization 2619 166000",
  "gpu0 nvmlDeviceGetDecoderUtilization 101 166000",
  "gpu0 nvmlDeviceGetJpgUtilization 101 166000",
  "gpu0 nvmlDeviceGetOfaUtilization 101 166000",
  "gpu0 nvmlDeviceGetEncoderStats 4097 4294967295 4294967295",
  "gpu0 nvmlDeviceGetEncoderSessions 7 48211 0 0 1920 1080 4294967295 4294967295",
  "gpu0 nvmlDeviceGetEncoderCapacity:0 101",
  "gpu0 nvmlDeviceGetMemoryInfo_v2 18446744073709551615 18446744073709551615 18446744073709551615 18446744073709551615",
  "gpu0 nvmlDeviceGetClockInfo:0 4294967295",
  "gpu0 nvmlDeviceGetMaxClockInfo:0 4294967295",
  "gpu0 nvmlDeviceGetPerformanceState 16",
  "gpu0 nvmlDeviceGetCurrentClocksEventReasons 18446744073709551615",
  "gpu0 nvmlDeviceGetPcieThroughput:0 4294967295",
  "gpu0 nvmlDeviceGetPcieThroughput:1 4294967295",
  "gpu0 nvmlDeviceGetCurrPcieLinkGeneration 17",
  "gpu0 nvmlDeviceGetCurrPcieLinkWidth 33",
  "gpu0 nvmlDeviceGetProcessUtilization 48211 4000000000000000 101 101 101 4294967295",
  "gpu0 field:3 3 18446744073709551615",
  "gpu0 field:82 1 4294967295",
  "gpu0 field:83 4 -1",
  "gpu0 field:94 1 4294967295",
  "gpu0 field:142 1 4294967295",
  "gpu0 field:144 1 2",
  "gpu0 field:145 5 -1",
  "gpu0 field:197 3 18446744073709551615",
  "gpu0 field:198 4 -1",
].join("\n");

Deno.test({
  name: "NvmlCollector leaves out values that cannot be, and says which",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1, LIES));
    await using test = openCollector(stub, { processes: true, measurePcie: true });
    const { page, collection } = await test.collect();
    const series = [...page.matchAll(/^(gpu_\w+)[{ ]/gm)].map(([, name]) => name);
    assertEquals(series, ["gpu_devices", "gpu_expected_devices", "gpu_info", "gpu_processes", "gpu_up"]);
    assertEquals(collection.problems, [{
      reason: "invalid",
      message: "GPU 0 reports impossible values, which are omitted: gpu_clock_max_hertz, gpu_power_watts, " +
        "gpu_power_limit_watts, gpu_temperature_celsius, gpu_utilization_ratio, gpu_memory_utilization_ratio, " +
        "gpu_encoder_utilization_ratio, gpu_decoder_utilization_ratio, gpu_jpeg_utilization_ratio, " +
        "gpu_ofa_utilization_ratio, gpu_memory_total_bytes, gpu_memory_used_bytes, gpu_memory_free_bytes, " +
        "gpu_memory_reserved_bytes, gpu_clock_hertz, gpu_performance_state, gpu_pcie_link_generation, " +
        "gpu_pcie_link_width, gpu_encoder_capacity_ratio, gpu_fan_speed_ratio, gpu_clocks_event_reason, " +
        "gpu_ecc_errors_total, gpu_energy_joules_total, gpu_pcie_replays_total, gpu_remapped_rows, " +
        "gpu_row_remapping_pending, gpu_row_remapping_failed, gpu_pcie_throughput_bytes_per_second, " +
        "gpu_encoder_session_fps, gpu_encoder_session_latency_seconds, gpu_encoder_sessions, " +
        "gpu_encoder_average_fps, gpu_encoder_average_latency_seconds; compare with " +
        '"nvidia-smi -q"; if it lasts, see "dmesg", and update the driver or reset the GPU',
    }]);
  },
});

Deno.test({
  name: "NvmlCollector leaves out memory that is more than the GPU has",
  ...OPTIONS,
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
  name: "NvmlCollector takes values that are rare but true",
  ...OPTIONS,
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
  name: "NvmlCollector says that a GPU refuses what every user may read, and only that",
  ...OPTIONS,
  fn: async () => {
    const forAdministrators = [
      "gpu0 nvmlDeviceGetFieldValues !4",
      "gpu0 nvmlDeviceGetEncoderStats 1 60 100",
      "gpu0 nvmlDeviceGetEncoderSessions !4",
      "gpu0 nvmlDeviceGetComputeRunningProcesses_v3 !4",
      "gpu0 nvmlDeviceGetProcessUtilization !4",
      "gpu0 nvmlDeviceGetMigMode !4",
    ].join("\n");
    using stub = await NvmlStub.create(machine(1, forAdministrators));
    await using test = openCollector(stub, { processes: true });
    assertEquals((await test.collect()).collection.problems, []);
    stub.script = machine(1, `${forAdministrators}\ngpu0 nvmlDeviceGetTemperatureV !4\n`);
    const { page, collection } = await test.collect();
    assertEquals([collection.up, up(page, 0), power(page, 0)], [true, 1, 1]);
    assertEquals(collection.problems.map(({ reason }) => reason), ["permission"]);
    assertStringIncludes(
      collection.problems[0]?.message ?? "",
      "GPU 0 refuses values that every user may read: nvmlDeviceGetTemperatureV returned NO_PERMISSION (4); let",
    );
    stub.script = machine(1);
    assertEquals((await test.collect()).collection.problems, []);
  },
});

Deno.test({
  name: "NvmlCollector says nothing of the memory of a whole GPU with MIG on: it is for administrators",
  ...OPTIONS,
  fn: async () => {
    const refusal = "gpu0 nvmlDeviceGetMemoryInfo_v2 !4\ngpu0 nvmlDeviceGetMemoryInfo !4\n";
    using stub = await NvmlStub.create(`${await readScript("mig")}\n${refusal}`);
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals(collection.problems, []);
    assertEquals(page.includes("gpu_memory_total_bytes{"), false);
    assertEquals(page.match(/^gpu_mig_memory_total_bytes\{/gm)?.length, 2);
    stub.script = machine(1, refusal);
    assertEquals((await test.collect()).collection.problems.map(({ reason }) => reason), ["permission"]);
  },
});

Deno.test({
  name: "NvmlCollector shows a GPU whole that refused everything at the start",
  ...OPTIONS,
  fn: async () => {
    const refusing = "gpu0 * !4\ngpu0 nvmlDeviceGetHandleByIndex_v2 0\ngpu0 nvmlDeviceGetUUID GPU-0\n";
    using stub = await NvmlStub.create(machine(1, refusing));
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals([collection.up, up(page, 0, "")], [false, 0]);
    assertEquals(collection.problems.map(({ reason }) => reason), ["permission"]);
    stub.script = machine(1);
    const { page: healed } = await test.collect();
    assertEquals([up(healed, 0), power(healed, 0)], [1, 1]);
    assertStringIncludes(healed, 'name="Card"');
  },
});

Deno.test({
  name: "NvmlCollector adds the memory of a process in two MIG instances only where both parts are known",
  ...OPTIONS,
  fn: async () => {
    const none = "18446744073709551615";
    using stub = await NvmlStub.create(machine(
      1,
      `gpu0 nvmlDeviceGetComputeRunningProcesses_v3 1 ${none} 1 0 1 ${none} 9 0 2 4096 1 1 2 ${none} 9 0 3 4096 1 1 3 1 9 0\n`,
    ));
    await using test = openCollector(stub, { processes: true });
    const { page } = await test.collect();
    const memory = [1, 2, 3].map((pid) =>
      sampleOf(page, `gpu_process_memory_bytes{gpu="0",uuid="GPU-0",pid="${pid}",type="compute"}`)
    );
    assertEquals(memory, [undefined, undefined, 4097]);
    assertEquals(sampleOf(page, "gpu_processes{"), 3);
  },
});

Deno.test({
  name: "NvmlCollector lists NVENC sessions also where their statistics cannot be had",
  ...OPTIONS,
  fn: async () => {
    const sessions =
      "gpu0 nvmlDeviceGetEncoderSessions 7 48211 0 0 1920 1080 60 6100 8 48212 0 1 1280 720 25 9800\n";
    for (const code of [3, 999]) {
      using stub = await NvmlStub.create(machine(1, `gpu0 nvmlDeviceGetEncoderStats !${code}\n${sessions}`));
      await using test = openCollector(stub);
      const { page, collection } = await test.collect();
      assertEquals(sampleOf(page, "gpu_encoder_sessions{"), 2);
      assertEquals(page.match(/^gpu_encoder_session_fps\{/gm)?.length, 2);
      assertEquals(page.includes("gpu_encoder_average_fps{"), false);
      assertEquals(collection.problems.length, code === 3 ? 0 : 1);
    }
    using stub = await NvmlStub.create(machine(1));
    await using test = openCollector(stub);
    assertEquals((await test.collect()).page.includes("gpu_encoder_sessions"), false);
  },
});

Deno.test({
  name: "NvmlCollector publishes no memory temperature of 0, which is that of a sensor that is not there",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1, "gpu0 nvmlDeviceGetTemperatureV 31\ngpu0 field:82 1 0\n"));
    await using test = openCollector(stub);
    const { page, collection } = await test.collect();
    assertEquals([...page.matchAll(/^gpu_temperature_celsius\{.*sensor="(\w+)"/gm)].map(([, name]) => name), [
      "gpu",
    ]);
    assertEquals(collection.problems, []);
  },
});

Deno.test({
  name: "NvmlCollector reads 24-byte process records, the 32-byte ones of early R535 and the oldest of 16",
  ...OPTIONS,
  fn: async () => {
    for (const size of [16, 24, 32]) {
      using stub = await NvmlStub.create(machine(
        1,
        `sys record_size ${size}\n` +
          "gpu0 nvmlDeviceGetComputeRunningProcesses_v3 101 1000 4294967295 4294967295 102 2000 4294967295 4294967295 " +
          "103 18446744073709551615 4294967295 4294967295\n",
      ));
      await using test = openCollector(stub, { processes: true });
      const { page } = await test.collect();
      const memory = [101, 102, 103].map((pid) =>
        sampleOf(page, `gpu_process_memory_bytes{gpu="0",uuid="GPU-0",pid="${pid}",type="compute"}`)
      );
      assertEquals(memory, [1000, 2000, undefined], `records of ${size} bytes`);
      assertEquals(sampleOf(page, "gpu_processes{"), 3);
    }
  },
});

Deno.test({
  name: "NvmlCollector asks again with more room, and lists 64 processes at most",
  ...OPTIONS,
  fn: async () => {
    const processes = Array.from(
      { length: 100 },
      (_, i) => `${1000 + i} ${(i + 1) * 4096} 4294967295 4294967295`,
    );
    using stub = await NvmlStub.create(
      machine(1, `gpu0 nvmlDeviceGetComputeRunningProcesses_v3 ${processes.join(" ")}\n`),
    );
    await using test = openCollector(stub, { processes: true });
    const { page } = await test.collect();
    assertEquals(sampleOf(page, "gpu_processes{"), 100);
    const listed = [...page.matchAll(/gpu_process_memory_bytes\{.*pid="(\d+)"/g)].map(([, pid]) =>
      Number(pid)
    );
    assertEquals(listed, Array.from({ length: 64 }, (_, i) => 1036 + i));
  },
});

Deno.test({
  name: "NvmlCollector reads MIG devices as they come and go",
  ...OPTIONS,
  fn: async () => {
    const script = `sys max_wait_ms 20\n${await readScript("mig")}`;
    using stub = await NvmlStub.create(script);
    await using test = openCollector(stub);
    assertEquals((await test.collect()).page.match(/^gpu_mig_info\{/gm)?.length, 3);
    stub.script = script.replace(
      "nvmlDeviceGetMigDeviceHandleByIndex:3 0",
      "nvmlDeviceGetMigDeviceHandleByIndex:3 !6",
    );
    const { page } = await test.collect();
    assertEquals(page.match(/^gpu_mig_info\{/gm)?.length, 2);
    assertEquals(page.match(/^gpu_mig_memory_total_bytes\{/gm)?.length, 1);
    stub.script = script.replace("nvmlDeviceGetMigMode 1 1", "nvmlDeviceGetMigMode 0 0");
    assertEquals((await test.collect()).page.includes("gpu_mig"), false);
  },
});

Deno.test({
  name: "NvmlCollector reads on when a scraper gives up: no GPU hangs for it, and others get the values",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2, "sys delay_us 500\n"));
    await using test = openCollector(stub, { intervalMs: 60_000 });
    await test.collect();
    test.advance(60_000);
    const collector: Collector = test.collector;
    const { up, problems } = await collector.collect(AbortSignal.abort());
    assertEquals([up, problems], [true, []]);
    const { page } = await test.collect();
    assertEquals([power(page, 0), power(page, 1)], [1, 2]);
  },
});

Deno.test({
  name: "NvmlCollector shares a reading among scrapes within the interval",
  ...OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(1));
    await using test = openCollector(stub, { intervalMs: 1000 });
    const first = (await test.collect()).collection;
    assertEquals((await test.collect()).collection === first, true);
    test.advance(1000);
    assertEquals((await test.collect()).collection === first, false);
  },
});
