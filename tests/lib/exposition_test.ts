import { assertEquals, assertStrictEquals } from "@std/assert";
import { Exposition, type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { needs } from "../support/programs.ts";
import { promtoolCheck } from "../support/promtool.ts";

const BYTES: MetricDefinition = { name: "x_bytes_total", type: "counter", help: "Bytes.", labels: ["name"] };
const RATIO: MetricDefinition = { name: "x_ratio", type: "gauge", help: "A \\ and a\nbreak." };
const SPEED: MetricDefinition = { name: "x_speed_ratio", type: "histogram", help: "Speed." };

function snapshot(): Snapshot {
  const snapshot = new Snapshot();
  snapshot.add(RATIO, 0.5);
  snapshot.add(BYTES, 12n, { name: 'a"\\\nb' });
  snapshot.add(BYTES, 3, { name: "é" });
  return snapshot;
}

Deno.test("Exposition writes the text format, families by name", async () => {
  const page = await new Exposition().render([snapshot()], "text");
  assertEquals(page.split("\n"), [
    "# HELP x_bytes_total Bytes.",
    "# TYPE x_bytes_total counter",
    'x_bytes_total{name="a\\"\\\\\\nb"} 12',
    'x_bytes_total{name="é"} 3',
    "# HELP x_ratio A \\\\ and a\\nbreak.",
    "# TYPE x_ratio gauge",
    "x_ratio 0.5",
    "",
  ]);
});

Deno.test("Exposition writes OpenMetrics, counters without and samples with _total", async () => {
  const page = await new Exposition().render([snapshot()], "openmetrics");
  assertEquals(page.split("\n"), [
    "# HELP x_bytes Bytes.",
    "# TYPE x_bytes counter",
    'x_bytes_total{name="a\\"\\\\\\nb"} 12',
    'x_bytes_total{name="é"} 3',
    "# HELP x_ratio A \\\\ and a\\nbreak.",
    "# TYPE x_ratio gauge",
    "x_ratio 0.5",
    "# EOF",
    "",
  ]);
});

Deno.test("Exposition writes histograms with canonical bounds", async () => {
  const own = new Snapshot();
  own.addHistogram(SPEED, { buckets: [[0.5, 1], [1, 3]], sum: 4.5, count: 4 });
  const page = await new Exposition().render([own], "text");
  assertEquals(page.split("\n").slice(2), [
    'x_speed_ratio_bucket{le="0.5"} 1',
    'x_speed_ratio_bucket{le="1.0"} 3',
    'x_speed_ratio_bucket{le="+Inf"} 4',
    "x_speed_ratio_sum 4.5",
    "x_speed_ratio_count 4",
    "",
  ]);
});

Deno.test("Snapshot.add() drops what could not be read", async () => {
  const own = new Snapshot();
  own.add(RATIO, undefined);
  own.add(RATIO, NaN);
  own.add(RATIO, Infinity);
  own.add(BYTES, -Infinity, { name: "x" });
  assertEquals(await new Exposition().render([own], "text"), "");
});

Deno.test("Exposition merges snapshots by family name and renders each once", async () => {
  const first = new Snapshot();
  first.add(RATIO, 1);
  const second = new Snapshot();
  second.add(BYTES, 1, { name: "a" });
  const exposition = new Exposition();
  const page = await exposition.render([first, second], "text");
  assertStrictEquals(page.indexOf("x_bytes_total") < page.indexOf("x_ratio"), true);
  // Rendered before: a later change to a snapshot must not show.
  first.add(RATIO, 2);
  assertEquals(await exposition.render([first, second], "text"), page);
});

Deno.test({
  name: "Exposition's pages satisfy promtool",
  ...needs("promtool"),
  fn: async () => {
    const own = snapshot();
    own.addHistogram(SPEED, { buckets: [[0.5, 1], [1, 3]], sum: 4.5, count: 4 });
    assertEquals(await promtoolCheck(await new Exposition().render([own], "text")), "");
  },
});

Deno.test("Exposition writes a family once, whichever snapshots add to it", async () => {
  const [first, second] = [new Snapshot(), new Snapshot()];
  first.add(BYTES, 1, { name: "first" });
  second.add(RATIO, 0.5);
  second.add(BYTES, 2, { name: "second" });
  const page = await new Exposition().render([first, second], "text");
  assertEquals(page.split("\n").slice(0, 5), [
    "# HELP x_bytes_total Bytes.",
    "# TYPE x_bytes_total counter",
    'x_bytes_total{name="first"} 1',
    'x_bytes_total{name="second"} 2',
    "# HELP x_ratio A \\\\ and a\\nbreak.",
  ]);
});
