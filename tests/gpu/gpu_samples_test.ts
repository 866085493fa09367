/** Values that no GPU can have. */
import { assertEquals } from "@std/assert";
import { openCollector } from "../support/gpu_collector.ts";
import { machine, STUB_OPTIONS } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

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
  name: "GpuSamples omits impossible values, and names their metrics",
  ...STUB_OPTIONS,
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
