/**
 * Faults of GPUs and their driver.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { GpuRig, refuse } from "../support/rigs/gpu.ts";
import { type Page, readPage, valueIn } from "../support/rigs/rig.ts";
import { anyFaults } from "./any.ts";
import type { FaultSet } from "./fault.ts";

const XIDS = 400;

function assertOtherGpu(page: Page): void {
  assertEquals(valueIn(page, { name: "gpu_power_watts", labels: { gpu: "1" } }), 143);
  assertEquals(valueIn(page, { name: "gpu_up", labels: { gpu: "0" } }), 0);
}

async function assertRead(rig: GpuRig): Promise<void> {
  assert(valueIn(await readPage(rig), rig.canary) !== undefined, "the values are absent");
}

function assertAbsent(page: Page, names: readonly string[]): void {
  for (const name of names) assertEquals(valueIn(page, { name, labels: { gpu: "0" } }), undefined, name);
}

/** Faults of the GPU exporter. */
export const GPU_FAULTS: FaultSet<GpuRig> = {
  exporter: "gpu",
  create: GpuRig.create,
  needs: ["cc"],
  impossible: {},
  faults: [
    {
      kind: "permission",
      what: "the driver is reset, and then the system keeps the exporter from the devices",
      values: "withheld",
      reason: "permission",
      health: "/dev/nvidia*",
      inject: (rig) => rig.answer(...refuse(17)),
      heal: (rig) => rig.answer(),
    },
    {
      kind: "permission",
      what: "one of two GPUs refuses every call",
      values: "withheld",
      up: 1,
      reason: "permission",
      health: "GPU 0 is unavailable: nvmlDeviceGetPowerUsage returned NO_PERMISSION (4); let this user open",
      metrics: "`gpu_up` 0 for it; the other GPU goes on",
      inject: (rig) => rig.answer("gpu0 * !4"),
      check: assertOtherGpu,
      heal: (rig) => rig.answer(),
    },
    {
      kind: "permission",
      what: "a GPU refuses only its temperature",
      values: "goes on",
      reason: "permission",
      health: "GPU 0 refuses values that every user may read: nvmlDeviceGetTemperatureV",
      metrics: "the temperature is absent",
      inject: (rig) => rig.answer("gpu0 nvmlDeviceGetTemperatureV !4"),
      check: (page) => assertAbsent(page, ["gpu_temperature_celsius"]),
      heal: (rig) => rig.answer(),
    },
    {
      kind: "missing",
      what: "there is no library at the start",
      values: "withheld",
      reason: "missing",
      health: "No NVIDIA library",
      fromStart: true,
      inject: () => {},
      heal: (rig) => rig.show(),
    },
    {
      kind: "missing",
      what: "the kernel module is unloaded",
      values: "withheld",
      reason: "driver_not_loaded",
      health: "modprobe nvidia",
      inject: (rig) => rig.hide(),
      heal: (rig) => rig.show(),
    },
    {
      kind: "vanishing",
      what: "one of two GPUs falls off the bus",
      values: "withheld",
      up: 1,
      reason: "lost",
      health: "GPU 0 is unavailable",
      metrics: "`gpu_up` 0 for it; the other GPU goes on",
      inject: (rig) => rig.answer("gpu0 * !15"),
      check: assertOtherGpu,
      heal: (rig) => rig.answer(),
    },
    {
      kind: "hanging",
      what: "a call for one of two GPUs does not return",
      values: "withheld",
      up: 1,
      reason: "timeout",
      health: "GPU 0 hangs",
      metrics: "`gpu_up` 0 for it; the other GPU goes on",
      inject: (rig) => rig.answer("gpu0 nvmlDeviceGetPowerUsage hang"),
      check: assertOtherGpu,
      heal: (rig) => rig.answer(),
    },
    {
      kind: "hanging",
      what: "every call takes a tenth of a second: none hangs, a reading takes seconds",
      values: "withheld",
      reason: "timeout",
      health: "GPU 0 is too slow",
      inject: (rig) => rig.answer("sys delay_us 100000"),
      heal: (rig) => rig.answer(),
    },
    {
      kind: "lying",
      what: "the statistics of NVENC fail, its list of sessions does not",
      values: "goes on",
      reason: "call_failed",
      health: "GPU 0: some readings failed: nvmlDeviceGetEncoderStats",
      metrics: "sessions are counted in the list; their averages are absent",
      inject: (rig) => rig.answer("gpu0 nvmlDeviceGetEncoderStats !999"),
      check: (page) => {
        assertEquals(valueIn(page, { name: "gpu_encoder_sessions", labels: { gpu: "0" } }), 2);
        assertAbsent(page, ["gpu_encoder_average_fps"]);
      },
      heal: (rig) => rig.answer(),
    },
    {
      kind: "lying",
      what: "a name that is no text, 5,000 NVENC sessions claimed",
      values: "goes on",
      reason: "call_failed",
      health: "GPU 0: some readings failed",
      metrics: "the sessions are absent",
      inject: (rig) =>
        rig.answer(
          "gpu0 nvmlDeviceGetName hex:41ff42",
          "gpu0 nvmlDeviceGetEncoderSessions claim 5000",
        ),
      check: (page) => assertAbsent(page, ["gpu_encoder_session_fps"]),
      heal: (rig) => rig.answer(),
    },
    {
      kind: "lying",
      what:
        "an encoder that works 2,619 %, 4,294,967,295 °C, more memory used than there is, every clock event",
      values: "goes on",
      reason: "invalid",
      health: "GPU 0 reports impossible values, which are omitted: gpu_temperature_celsius, gpu_enc",
      metrics: "these values are absent",
      inject: (rig) =>
        rig.answer(
          "gpu0 nvmlDeviceGetEncoderUtilization 2619 166000",
          "gpu0 nvmlDeviceGetTemperatureV 4294967295",
          "gpu0 nvmlDeviceGetMemoryInfo_v2 48305799168 674037760 44561956864 48305799169",
          "gpu0 nvmlDeviceGetPerformanceState 4294967295",
          "gpu0 nvmlDeviceGetCurrentClocksEventReasons 18446744073709551615",
        ),
      check: (page) => {
        assertAbsent(page, [
          "gpu_encoder_utilization_ratio",
          "gpu_temperature_celsius",
          "gpu_memory_used_bytes",
          "gpu_performance_state",
          "gpu_clocks_event_reason",
        ]);
      },
      heal: (rig) => rig.answer(),
    },
    {
      kind: "restarting",
      what: "the driver is reset: all its handles are void",
      values: "goes on",
      metrics: "the exporter starts over with it by itself",
      inject: async (rig) => {
        rig.answer("gpu0 * !1", "gpu1 * !1", "gpu* * !1", "sys nvmlDeviceGetCount_v2 !1");
        await rig.exporter.metrics();
        rig.answer();
      },
      heal: () => {},
    },
    {
      kind: "flooding",
      once: true,
      what: `a GPU reports ${XIDS} different Xids, more than there are`,
      values: "goes on",
      metrics: "256 series of Xids at most",
      inject: (rig) =>
        rig.answer(...Array.from({ length: XIDS }, (_, index) => `event ${index + 1} gpu0 8 ${index + 1}`)),
      check: (page) => {
        const count = page.families.get("gpu_xid_errors_total")?.samples.length ?? 0;
        assert(count > 0 && count <= 256, `${count} series of Xids`);
      },
      heal: (rig) => rig.answer(),
    },
    {
      kind: "flooding",
      what:
        "a scraper with a timeout of 0.1 us asks again and again, while each call takes half a millisecond",
      values: "goes on",
      inject: async (rig) => {
        rig.answer("sys delay_us 500");
        for (let scrape = 0; scrape < 20; scrape++) {
          const headers = { "x-prometheus-scrape-timeout-seconds": "0.0000001" };
          await Promise.all([rig.exporter.metrics({ headers }), assertRead(rig)]);
        }
      },
      heal: (rig) => rig.answer(),
    },
    {
      kind: "stopped and continued",
      what: "SIGSTOP for three seconds in the middle of a reading, then SIGCONT",
      values: "goes on",
      inject: async (rig) => {
        rig.answer("sys delay_us 5000");
        const read = assertRead(rig);
        // Should the reading be over by then, the fault is the one of every exporter.
        await new Promise((resolve) => setTimeout(resolve, 50));
        rig.exporter.kill("SIGSTOP");
        await new Promise((resolve) => setTimeout(resolve, 3000));
        rig.exporter.kill("SIGCONT");
        await read;
      },
      heal: (rig) => rig.answer(),
    },
    ...anyFaults(),
  ],
};
