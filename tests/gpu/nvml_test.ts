import { assertEquals, assertRejects } from "@std/assert";
import { CallLane } from "../../exporters/gpu/call_lane.ts";
import { Nvml } from "../../exporters/gpu/nvml.ts";
import { NvmlError } from "../../exporters/gpu/nvml_codes.ts";
import { createFakeSymbols } from "../../simulation/nvml_fake.ts";

const SYMBOLS = createFakeSymbols({ driverVersion: "580.65.06", gpus: [] });

function out(bytes: unknown, value: number): Promise<number> {
  new DataView((bytes as Uint8Array<ArrayBuffer>).buffer).setUint32(0, value, true);
  return Promise.resolve(0);
}

Deno.test("Nvml.shutdown() ends every start that succeeded, and none that failed", async () => {
  let [ends, code] = [0, 0];
  const nvml = new Nvml({
    ...SYMBOLS,
    nvmlInit_v2: () => Promise.resolve(code),
    nvmlShutdown: () => (ends++, Promise.resolve(0)),
  }, new CallLane());
  await nvml.init();
  await nvml.init();
  code = 9;
  await assertRejects(() => nvml.init(), NvmlError, "nvmlInit_v2 returned DRIVER_NOT_LOADED (9)");
  await nvml.shutdown();
  assertEquals(ends, 2);
  await nvml.shutdown();
  assertEquals(ends, 2);
});

Deno.test("Nvml.versions() reads CUDA's version as its two parts", async () => {
  const nvml = new Nvml(
    { ...SYMBOLS, nvmlSystemGetCudaDriverVersion: (bytes) => out(bytes, 13020) },
    new CallLane(),
  );
  assertEquals(await nvml.versions(), { driver: "580.65.06", nvml: undefined, cuda: "13.2" });
});

Deno.test("Nvml.deviceCount() takes no more GPUs than machines have", async () => {
  const nvml = new Nvml(
    { ...SYMBOLS, nvmlDeviceGetCount_v2: (bytes) => out(bytes, 4_000_000_000) },
    new CallLane(),
  );
  assertEquals(await nvml.deviceCount(), 256);
});
