/** Field values, from the stand-in library. */
import { assertEquals } from "@std/assert";
import { openCollector } from "../support/gpu_collector.ts";
import { machine, STUB_OPTIONS } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name: "FieldReader publishes no memory temperature of 0, which is that of a sensor that is not there",
  ...STUB_OPTIONS,
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
