/** The Grafana dashboards: no Grafana is needed to see that they are whole. */
import { assertEquals, assertGreaterOrEqual, assertMatch } from "@std/assert";
import { ROOT } from "../support/exporter_process.ts";
import { expressionsOf, type Panel, readDashboards } from "../support/dashboards.ts";
import { needs } from "../support/programs.ts";
import { copyMonitoring, startPrometheus, startVictoriaMetrics } from "../support/scrapers.ts";

const DASHBOARDS = readDashboards();
const PANEL_TYPES = ["row", "stat", "timeseries", "table", "state-timeline"];
/** Grafana's names of the units in use. */
const UNITS = ["none", "watt", "joule", "celsius", "percent", "percentunit", "bytes", "Bps", "bps", "s"];
/** What Grafana itself puts in place of these in the queries. */
const BUILT_IN = ["__rate_interval", "__range"];

for (const dashboard of DASHBOARDS) {
  const { file, uid, panels, templating } = dashboard;

  Deno.test(`The dashboard ${file} has what Grafana needs of it`, () => {
    assertEquals(uid, `workers-${file}`);
    assertGreaterOrEqual(dashboard.schemaVersion, 36);
    assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length, "ids must differ");
    for (const { type, title, datasource, targets = [], fieldConfig } of panels) {
      assertEquals(PANEL_TYPES.includes(type), true, `${title}: ${type}`);
      assertMatch(title, /^[A-Z]/);
      if (type === "row") continue;
      assertEquals(datasource, { type: "prometheus", uid: "${datasource}" }, title);
      assertEquals(UNITS.includes(fieldConfig?.defaults.unit ?? ""), true, `${title} has no unit`);
      assertGreaterOrEqual(targets.length, 1, title);
      assertEquals(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const { datasource, expr } of targets) {
        assertEquals(datasource.uid, "${datasource}", title);
        // Rows of a table come together by their labels, and a metric's name would be one of them.
        if (type === "table") assertMatch(expr, /^(?:max|sum) by /, title);
      }
    }
  });

  Deno.test(`The panels of the dashboard ${file} lie within the grid and beside one another`, () => {
    const isOver = ({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean =>
      a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
    for (const [index, panel] of panels.entries()) {
      assertEquals(panel.gridPos.x + panel.gridPos.w <= 24, true, panel.title);
      const over = panels.slice(index + 1).filter((other) => isOver(panel, other)).map(({ title }) => title);
      assertEquals(over, [], `covered by ${panel.title}`);
    }
  });

  Deno.test(`The dashboard ${file} uses the variables that it has, and leads to dashboards that exist`, () => {
    const text = JSON.stringify(dashboard);
    const variables = templating.list.map(({ name }) => name);
    for (const expression of expressionsOf(dashboard)) {
      for (const [, name = ""] of expression.matchAll(/\$(\w+)/g)) {
        assertEquals([...variables, ...BUILT_IN].includes(name), true, `$${name} in ${expression}`);
      }
    }
    for (const name of variables) assertMatch(text, new RegExp(`\\$\\{?${name}\\b`));
    const uids = DASHBOARDS.map((other) => other.uid);
    for (const [, target = ""] of text.matchAll(/"\/d\/([\w-]+)/g)) {
      assertEquals(uids.includes(target), true, target);
    }
  });
}

for (
  const [program, file, start] of [
    ["prometheus", "prometheus.yml", startPrometheus],
    ["victoria-metrics", "victoria-metrics.yml", startVictoriaMetrics],
  ] as const
) {
  Deno.test({
    name: `${program} understands every query of the dashboards`,
    ...needs(program),
    async fn(): Promise<void> {
      using copy = copyMonitoring({ workers: {}, interval: "23h" });
      await using scraper = await start(copy.scrape(file));
      for (const expression of DASHBOARDS.flatMap(expressionsOf)) {
        await scraper.query(expression.replace(/\$__\w+/g, "5m").replace(/\$\w+/g, ".*"));
      }
    },
  });
}

Deno.test("Grafana's provisioning names the folder of the dashboards and the variable's kind of data source", () => {
  const read = (file: string): string =>
    Deno.readTextFileSync(`${ROOT}monitoring/grafana/provisioning/${file}`);
  assertMatch(read("dashboards/workers.yml"), /^ {6}path: \/var\/lib\/grafana\/dashboards$/m);
  assertMatch(read("datasources/monitoring.yml"), /^ {4}type: prometheus$/m);
});
