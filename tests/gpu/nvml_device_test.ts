import { assertEquals, assertRejects } from "@std/assert";
import { CallLane } from "../../exporters/gpu/call_lane.ts";
import { NvmlCalls } from "../../exporters/gpu/nvml_calls.ts";
import { NvmlError } from "../../exporters/gpu/nvml_codes.ts";
import { NvmlDevice } from "../../exporters/gpu/nvml_device.ts";
import type { NvmlSymbols } from "../../exporters/gpu/nvml_symbols.ts";
import { createFakeSymbols } from "../../simulation/nvml_fake.ts";

const NONE = createFakeSymbols({ driverVersion: "1", gpus: [] });

function device(symbols: Partial<NvmlSymbols>): NvmlDevice {
  return new NvmlDevice(new NvmlCalls({ ...NONE, ...symbols }, new CallLane()), 7n);
}

Deno.test("NvmlDevice.ask() passes the handle, its memory and other arguments in the order of the prototype", async () => {
  const calls: unknown[][] = [];
  const note = (...args: unknown[]): Promise<number> => (calls.push(args), Promise.resolve(0));
  const gpu = device({
    nvmlDeviceGetClockInfo: note,
    nvmlDeviceGetEncoderStats: note,
    nvmlDeviceGetName: note,
  });
  assertEquals(await gpu.ask("nvmlDeviceGetClockInfo", [3]), true);
  await gpu.ask("nvmlDeviceGetEncoderStats");
  await gpu.text("nvmlDeviceGetName");
  const [first, second, third] = gpu.out.map(({ bytes }) => bytes);
  assertEquals(calls, [[7n, 3, first], [7n, first, second, third], [7n, first, 96]]);
});

Deno.test("NvmlDevice.u32() is absent where the driver lacks the function or does not support it", async () => {
  const gpu = device({ nvmlDeviceGetFanSpeed: () => Promise.resolve(3), nvmlDeviceGetNumFans: null });
  assertEquals([await gpu.u32("nvmlDeviceGetFanSpeed"), await gpu.u32("nvmlDeviceGetNumFans")], [
    undefined,
    undefined,
  ]);
  assertEquals(gpu.failures.size, 0);
});

Deno.test("NvmlDevice.u32() notes a call that fails, and ends the reading where the GPU is lost", async () => {
  const gpu = device({
    nvmlDeviceGetPowerUsage: () => Promise.resolve(999),
    nvmlDeviceGetMinorNumber: () => Promise.resolve(15),
  });
  assertEquals(await gpu.u32("nvmlDeviceGetPowerUsage"), undefined);
  assertEquals([...gpu.failures], [["nvmlDeviceGetPowerUsage", 999]]);
  await assertRejects(() => gpu.u32("nvmlDeviceGetMinorNumber"), NvmlError, "GPU_IS_LOST (15)");
});
