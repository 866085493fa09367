import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Collection, CollectorRunner, SourceError } from "../../lib/collector.ts";
import { Exposition, Snapshot } from "../../lib/exposition.ts";
import { createLogger } from "../../lib/log.ts";

const QUIET = createLogger({ write: () => {} });

function collection(): Collection {
  return { up: true, snapshot: new Snapshot(), problems: [] };
}

function runner(
  collect: (signal: AbortSignal) => Collection | Promise<Collection>,
  log = QUIET,
): CollectorRunner {
  return new CollectorRunner({ source: "x", metrics: [], collect }, log, { wallClockMs: () => 5000 });
}

async function page(own: CollectorRunner): Promise<string[]> {
  const text = await new Exposition().render(own.status.snapshots, "text");
  return text.split("\n").filter((line) => !line.startsWith("#") && !line.includes("duration"));
}

Deno.test("CollectorRunner shares one collection between all who ask", async () => {
  let started = 0;
  const gate = Promise.withResolvers<Collection>();
  const own = runner(() => (started++, gate.promise));
  const both = Promise.all([own.run(1000), own.run(1000)]);
  gate.resolve(collection());
  const [first, second] = await both;
  assertStrictEquals(first, second);
  assertEquals(started, 1);
});

Deno.test("CollectorRunner gives up at the deadline, tells the collector, and starts no second one meanwhile", async () => {
  let started = 0;
  let aborted = false;
  const gate = Promise.withResolvers<Collection>();
  const own = runner((signal) => {
    started++;
    signal.onabort = () => aborted = true;
    return gate.promise;
  });
  assertEquals((await own.run(20)).problems[0]?.reason, "timeout");
  assertEquals((await own.run(20)).up, false);
  assertEquals([started, aborted], [1, true]);
  gate.resolve(collection());
  assertEquals((await own.run(1000)).up, true);
});

Deno.test("CollectorRunner publishes no data of a failed collection, only that it failed", async () => {
  let broken = false;
  const own = runner(() => {
    if (broken) throw new SourceError("permission", "Cannot read: give it the right");
    return collection();
  });
  await own.run(1000);
  assertEquals(await page(own), [
    'exporter_collect_failures_total{source="x"} 0',
    'exporter_last_success_timestamp_seconds{source="x"} 5',
    'exporter_source_up{source="x"} 1',
    "",
  ]);
  broken = true;
  await own.run(1000);
  assertEquals(own.status.snapshots.length, 1);
  assertEquals(await page(own), [
    'exporter_collect_failures_total{source="x"} 1',
    'exporter_last_success_timestamp_seconds{source="x"} 5',
    'exporter_source_error{source="x",reason="permission"} 1',
    'exporter_source_up{source="x"} 0',
    "",
  ]);
  broken = false;
  assertEquals((await own.run(1000)).up, true);
});

Deno.test("CollectorRunner says a fault of the collector itself too", async () => {
  const own = runner(() => Promise.reject(new TypeError("odd")));
  assertEquals((await own.run(1000)).problems, [{
    reason: "internal",
    message: 'Cannot collect from "x": odd',
  }]);
});

Deno.test("CollectorRunner keeps its state when the same collection comes again", async () => {
  const same = collection();
  const own = runner(() => same);
  const first = await own.run(1000);
  assertStrictEquals(await own.run(1000), first);
});

Deno.test("CollectorRunner logs each change of state once", async () => {
  const lines: string[] = [];
  let reason: string | undefined;
  const own = runner(() => {
    if (reason) throw new SourceError(reason, `Broken by ${reason}`);
    return collection();
  }, createLogger({ write: (line) => lines.push(/msg="([^"]*)"/.exec(line)?.[1] ?? line) }));
  for (reason of [undefined, "gone", "gone", "gone", "invalid", undefined, undefined]) await own.run(1000);
  assertEquals(lines, ["Broken by gone", "Broken by invalid", "source is read without problems"]);
});

Deno.test("CollectorRunner lets a collection go on that nobody waits for, and ends one that a scrape waits for", async () => {
  let wasAsked: boolean | undefined;
  const own = runner((signal) => {
    wasAsked = false;
    const { promise, resolve } = Promise.withResolvers<Collection>();
    signal.addEventListener("abort", () => {
      wasAsked = true;
      resolve(collection());
    });
    return promise;
  });
  assertEquals(await own.settle(10), false);
  assertEquals(wasAsked, false);
  // It joins the same collection, and gets what that has by then.
  assertEquals((await own.run(10)).up, true);
  assertEquals(wasAsked, true);
});
