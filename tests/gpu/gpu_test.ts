/** One GPU on the stand-in library: values that are refused, and garbage. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openCollector, stubStats } from "../support/gpu_collector.ts";
import { scaleScript } from "../support/gpu_scale.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { machine, power, STUB_OPTIONS, up } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "Gpu omits only what a call does not report, and names the call unless it is not supported",
  ...STUB_OPTIONS,
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
  name: "Gpu survives garbage: counts above the buffer, text without end, unknown codes",
  ...STUB_OPTIONS,
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

Deno.test({
  name: "Gpu shows a GPU whole that refused everything at the start",
  ...STUB_OPTIONS,
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
  name: "Gpu makes as many calls as it has values, however many GPUs there are",
  ...STUB_OPTIONS,
  fn: async () => {
    const calls = async (gpus: number): Promise<number> => {
      using stub = await NvmlStub.create(scaleScript({ gpus, mig: 2 }));
      await using test = openCollector(stub);
      await test.collect();
      const before = stubStats(stub).calls;
      await test.collect();
      return stubStats(stub).calls - before;
    };
    const [ofNone, ofOne, ofFour] = [await calls(0), await calls(1), await calls(4)];
    // How many GPUs there are is asked once.
    assertEquals(ofNone, 1);
    assertEquals(ofFour - 1, 4 * (ofOne - 1));
    assert(ofOne < 45, `${ofOne} calls`);
  },
});
