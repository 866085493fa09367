import { assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
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
  deadlineMs = 60_000,
): CollectorRunner {
  return new CollectorRunner({ source: "x", collect }, log, {
    wallClockMs: () => 5000,
    deadlineMs,
  });
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

Deno.test("CollectorRunner aborts at its own deadline, reports a timeout, and starts no second collection meanwhile", async () => {
  let started = 0;
  let aborted = false;
  const gate = Promise.withResolvers<Collection>();
  const own = runner(
    (signal) => {
      started++;
      signal.onabort = () => aborted = true;
      return gate.promise;
    },
    QUIET,
    20,
  );
  assertEquals((await own.run(1000)).problems[0]?.reason, "timeout");
  // What hangs is not waited for again.
  assertEquals((await own.run(1000)).up, false);
  assertEquals(own.status.up, false);
  assertEquals([started, aborted], [1, true]);
  gate.resolve(collection());
  await gate.promise;
  assertEquals((await own.run(1000)).up, true);
});

Deno.test("CollectorRunner: an impatient client shortens its own page, never the reading that others share", async () => {
  const lines: string[] = [];
  const log = createLogger({ write: (line) => lines.push(line) });
  let aborted = false;
  const gates: PromiseWithResolvers<Collection>[] = [];
  const own = runner((signal) => {
    signal.onabort = () => aborted = true;
    const gate = Promise.withResolvers<Collection>();
    gates.push(gate);
    return gate.promise;
  }, log);
  const first = own.run(1000);
  gates[0]?.resolve(collection());
  assertEquals((await first).up, true);
  const patient = own.run(60_000);
  const impatient = await Promise.all([own.run(0), own.run(0.0001), own.run(1)]);
  for (const { up, problems, snapshots } of impatient) {
    assertEquals([up, problems[0]?.reason, snapshots.length], [false, "timeout", 1]);
  }
  assertEquals([aborted, own.status.up, lines], [false, true, []]);
  gates[1]?.resolve(collection());
  assertEquals((await patient).up, true);
  assertEquals((await page(own))[0], 'exporter_collect_failures_total{source="x"} 0');
});

Deno.test("CollectorRunner: of a background reading, time and duration are those of the reading", async () => {
  const text = async (read: Partial<Collection>): Promise<string> => {
    const own = runner(() => ({ ...collection(), ...read }));
    await own.run(1000);
    return await new Exposition().render(own.status.snapshots, "text");
  };
  const measured = await text({ readAtMs: 3000, durationSeconds: 0.25 });
  assertStringIncludes(measured, 'exporter_last_success_timestamp_seconds{source="x"} 3\n');
  assertStringIncludes(measured, 'exporter_collect_duration_seconds{source="x"} 0.25\n');
  assertEquals((await text({ readAtMs: 3000 })).includes("exporter_collect_duration_seconds"), false);
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

Deno.test("CollectorRunner reports a fault of the collector itself too", async () => {
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

Deno.test("CollectorRunner publishes what a collector has when its deadline comes", async () => {
  const own = runner(
    (signal) => {
      const { promise, resolve } = Promise.withResolvers<Collection>();
      signal.addEventListener("abort", () => resolve(collection()));
      return promise;
    },
    QUIET,
    10,
  );
  assertEquals(await own.settle(0), false);
  assertEquals((await own.run(1000)).up, true);
});
