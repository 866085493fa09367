import { assertEquals, assertRejects } from "@std/assert";
import { CallLane, CallTimeout } from "../../exporters/gpu/call_lane.ts";
import { eventually } from "../support/exporter_process.ts";

Deno.test("CallLane.run() gives up on a call that hangs, and refuses more until it returns", async () => {
  const lane = new CallLane();
  const hung = Promise.withResolvers<number>();
  const made: string[] = [];
  const work = async (): Promise<number> => {
    const first = await lane.call("nvmlFirst", () => (made.push("first"), hung.promise));
    await lane.call("nvmlSecond", () => (made.push("second"), Promise.resolve(0)));
    return first;
  };
  const error = await assertRejects(() => lane.run(work, 10), CallTimeout, "nvmlFirst");
  assertEquals([error.symbol, error.isHung], ["nvmlFirst", true]);
  assertEquals(lane.occupied, true);
  // At once: this deadline would outlast the test.
  await assertRejects(() => lane.run(work, 600_000), CallTimeout, "nvmlFirst has not returned");
  assertEquals(made, ["first"]);
  hung.resolve(7);
  await hung.promise;
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(lane.occupied, false);
  assertEquals(await lane.run(work, 1000), 7);
  // The work that nobody waited for made no further call.
  assertEquals(made, ["first", "first", "second"]);
});

Deno.test("CallLane.run() hands on what the work throws, and is free again", async () => {
  const lane = new CallLane();
  await assertRejects(
    () => lane.run(() => Promise.reject(new Error("no")), 1000),
    Error,
    "no",
  );
  assertEquals(lane.occupied, false);
});

Deno.test("CallLane.run() distinguishes many slow calls from one that hangs", async () => {
  const lane = new CallLane();
  const slow = async (): Promise<void> => {
    while (true) await lane.call("nvmlSlow", () => new Promise((resolve) => setTimeout(resolve, 1)));
  };
  const error = await assertRejects(() => lane.run(slow, 200), CallTimeout);
  assertEquals(error.isHung, false);
  // The work ends with the call that is under way.
  await eventually(() => assertEquals(lane.occupied, false));
});

Deno.test("CallLane.run() does not take a stop of this process for a driver that hangs", async () => {
  const lane = new CallLane();
  const later = (): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(1), 1));
  const work = async (): Promise<number> => {
    const first = await lane.call("nvmlFirst", later);
    return first + await lane.call("nvmlSecond", later);
  };
  const run = lane.run(work, 400);
  const endMs = performance.now() + 1000;
  while (performance.now() < endMs);
  assertEquals(await run, 2);
});
