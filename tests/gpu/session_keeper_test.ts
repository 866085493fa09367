/** Sessions that are opened again: after hangs, losses and resets, and when GPUs come and go. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/exporter_process.ts";
import { openCollector, stubStats } from "../support/gpu_collector.ts";
import { sampleOf } from "../support/gpu_exporter.ts";
import { machine, power, STUB_OPTIONS, up } from "../support/gpu_machine.ts";
import { NvmlStub } from "../support/nvml_stub.ts";

Deno.test({
  name:
    "SessionKeeper survives a driver that hangs while it starts, and a GPU that hangs while it is attached",
  ...STUB_OPTIONS,
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
    // Each start that succeeded, even after the caller gave up on it, is ended before NVML starts again.
    stub.script = machine(2, "gpu1 * !15\n");
    await test.collect();
    await eventually(async () => {
      assertEquals(stubStats(stub).inits, 3);
      assertEquals(up((await test.collect()).page, 0), 1);
    });
  },
});

Deno.test({
  name: "SessionKeeper starts over when a GPU is lost, and shows it again once it is back",
  ...STUB_OPTIONS,
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
  name: "SessionKeeper starts over after a reset of the driver, later after each failure",
  ...STUB_OPTIONS,
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
  name: "SessionKeeper notices a GPU that is added or removed",
  ...STUB_OPTIONS,
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
  name: "SessionKeeper does not start over for a GPU that it may not open",
  ...STUB_OPTIONS,
  fn: async () => {
    using stub = await NvmlStub.create(machine(2, "gpu1 * !4\n"));
    await using test = openCollector(stub);
    for (let scrape = 0; scrape < 3; scrape++) {
      const { page, collection } = await test.collect();
      assertEquals([up(page, 0), up(page, 1, "")], [1, 0]);
      assertEquals([sampleOf(page, "gpu_devices"), sampleOf(page, "gpu_expected_devices")], [1, 2]);
      assertEquals(collection.problems.map(({ reason }) => reason), ["permission"]);
      assertStringIncludes(collection.problems[0]?.message ?? "", "let this user open /dev/nvidiactl");
      test.advance(400_000);
    }
    assertEquals(stubStats(stub).inits, 1);
  },
});
