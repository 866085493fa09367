import { assertEquals, assertRejects } from "@std/assert";
import { CallLane, CallTimeout } from "../../exporters/gpu/call_lane.ts";

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
  assertEquals(error.symbol, "nvmlFirst");
  assertEquals(lane.occupied, true);
  await assertRejects(() => lane.run(work, 10), CallTimeout, "nvmlFirst has not returned");
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
