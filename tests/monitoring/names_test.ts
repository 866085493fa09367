/** Rules and dashboards, held against what the exporters publish. */
import { assertEquals } from "@std/assert";
import { expressionsOf, readDashboards } from "../support/dashboards.ts";
import { COMPAT_FILES, knownMetrics, readRules, unknownNames } from "../support/known_series.ts";
import { namesOf } from "../support/promql.ts";

Deno.test("Rules ask only for metrics, labels and values that golden pages and other rules have", async (t) => {
  const known = knownMetrics();
  for (
    const { record, alert, expr, annotations = {} } of [
      ...readRules("recording.yml"),
      ...readRules("alerts.yml"),
      ...COMPAT_FILES.flatMap(readRules),
    ]
  ) {
    await t.step(`${record ?? alert}`, () => {
      assertEquals(unknownNames(expr, known), []);
      const labels = namesOf(expr).selectors.flatMap(({ metric }) => [...known.get(metric)?.keys() ?? []]);
      const named = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label = ""]) =>
        label
      );
      assertEquals(named.filter((label) => !labels.includes(label)), []);
    });
  }
});

Deno.test("Dashboards ask only for metrics, labels and values that golden pages and rules have", async (t) => {
  const known = knownMetrics();
  for (const dashboard of readDashboards()) {
    await t.step(dashboard.title, () => {
      for (const expression of expressionsOf(dashboard)) {
        assertEquals(unknownNames(expression, known), [], expression);
      }
      for (const { expr, legendFormat } of dashboard.panels.flatMap(({ targets = [] }) => targets)) {
        const labels = namesOf(expr).selectors.flatMap(({ metric }) => [...known.get(metric)?.keys() ?? []]);
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
        assertEquals(named.filter((label) => !labels.includes(label)), [], expr);
      }
    });
  }
});

Deno.test("unknownNames() lists what does not exist", () => {
  const known = new Map([[
    "x_total",
    new Map([["state", new Set(["on", "off"])], ["worker", new Set<string>()]]),
  ]]);
  assertEquals(unknownNames('sum by (worker) (rate(x_total{state=~"on|off"}[1m]))', known), []);
  assertEquals(unknownNames('x_total{state=~"o.*", worker="$worker"}', known), []);
  assertEquals(unknownNames("y_total", known), ["no metric y_total"]);
  assertEquals(unknownNames('x_total{gpu="0"}', known), ["x_total has no label gpu"]);
  assertEquals(unknownNames('x_total{state="of"}', known), ['x_total is never seen with state="of"']);
  assertEquals(unknownNames("max by (gpu) (x_total)", known), ["no metric in it has the label gpu"]);
});

Deno.test("namesOf() finds metrics, matchers and grouping labels, and nothing else", () => {
  const { selectors, groupingLabels } = namesOf(
    'sum by (a, b) (rate(x_total{c=~"d|e", f!="}("}[5m] offset 1h)) / on (g) group_left () y:z unless 2e3 > bool up',
  );
  assertEquals(selectors, [
    {
      metric: "x_total",
      matchers: [{ label: "c", operator: "=~", value: "d|e" }, { label: "f", operator: "!=", value: "}(" }],
    },
    { metric: "y:z", matchers: [] },
    { metric: "up", matchers: [] },
  ]);
  assertEquals(groupingLabels, ["a", "b", "g"]);
});
