/** What the page's chart begins with. */
import { assertEquals } from "@std/assert";
import { type Collection, CollectorRunner } from "../../lib/collector.ts";
import { type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { History } from "../../lib/history.ts";
import { createLogger } from "../../lib/log.ts";

const WATTS: MetricDefinition = { name: "x_watts", type: "gauge", help: "Power.", labels: ["zone"] };

/** A source that publishes what `values` holds at each reading, and a clock set by hand. */
function rig(): {
  values: Record<string, number>;
  clock: { nowMs: number };
  read(): Promise<void>;
  history: History;
} {
  const values: Record<string, number> = {};
  const clock = { nowMs: 1000 };
  const collect = (): Collection => {
    const snapshot = new Snapshot();
    for (const [zone, value] of Object.entries(values)) snapshot.add(WATTS, value, { zone });
    return { up: true, snapshot, problems: [] };
  };
  const runner = new CollectorRunner(
    { source: "x", collect },
    createLogger({ write: () => {} }),
  );
  const history = new History(WATTS.name, [runner], { monotonicMs: () => clock.nowMs });
  return {
    values,
    clock,
    history,
    async read(): Promise<void> {
      await runner.run(1000);
      history.look();
    },
  };
}

Deno.test("History remembers each reading once, with its age, and what was absent as null", async () => {
  const { values, clock, read, history } = rig();
  using _ = history;
  values.a = 10.123456;
  await read();
  history.look();
  clock.nowMs += 5000;
  values.b = 20;
  await read();
  clock.nowMs += 5000;
  delete values.a;
  await read();
  assertEquals(history.report(), {
    ages_ms: [10_000, 5000, 0],
    series: [
      { labels: { zone: "a" }, values: [10.1235, 10.1235, null] },
      { labels: { zone: "b" }, values: [null, 20, 20] },
    ],
  });
});

Deno.test("History reaches five minutes back, and forgets a series that was absent for as long", async () => {
  const { values, clock, read, history } = rig();
  using _ = history;
  values.gone = 1;
  await read();
  delete values.gone;
  values.here = 2;
  for (let reading = 0; reading < 400; reading++) {
    clock.nowMs += 2000;
    await read();
  }
  const { ages_ms, series } = history.report();
  assertEquals([ages_ms[0], ages_ms.length], [298_000, 150]);
  assertEquals(series.map(({ labels }) => labels.zone), ["here"]);
  clock.nowMs += 301_000;
  assertEquals(history.report(), { ages_ms: [], series: [] });
});

Deno.test("History holds two hundred series at most", async () => {
  const { values, read, history } = rig();
  using _ = history;
  for (let zone = 0; zone < 1000; zone++) values[`zone-${zone}`] = zone;
  await read();
  assertEquals(history.report().series.length, 200);
});
