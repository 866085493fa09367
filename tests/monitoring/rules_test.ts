/** The rules, judged by the programs that evaluate them, and held against what the exporters publish. */
import { assertEquals, assertMatch } from "@std/assert";
import { load } from "js-yaml";
import { ROOT } from "../support/exporter_process.ts";
import { COMPAT_FILES, levelLabels, readRules } from "../support/known_series.ts";
import { needs } from "../support/programs.ts";
import { namesOf } from "../support/promql.ts";

const RULES = `${ROOT}monitoring/rules`;
const ALERTS = readRules("alerts.yml");
const RECORDINGS = readRules("recording.yml");

/** The part of a promtool unit test that is looked at here. */
interface RuleTest {
  alert_rule_test?: { alertname: string; exp_alerts: { exp_labels: Record<string, string> }[] }[];
  promql_expr_test?: { expr: string; exp_samples: unknown[] }[];
}

async function runToEnd(command: string, ...args: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

function readTests(file: string): RuleTest[] {
  return (load(Deno.readTextFileSync(`${RULES}/tests/${file}`)) as { tests: RuleTest[] }).tests;
}

Deno.test({
  name: "promtool and vmalert accept the rules, and promtool has no objections",
  ...needs("promtool", "vmalert"),
  async fn(): Promise<void> {
    const files = ["recording.yml", "alerts.yml", ...COMPAT_FILES].map((file) => `${RULES}/${file}`);
    const checked = await runToEnd("promtool", "check", "rules", "--lint=all", "--lint-fatal", ...files);
    assertEquals(checked.code, 0, checked.output);
    const dry = await runToEnd(
      "vmalert",
      `-rule=${RULES}/*.yml`,
      "-dryRun",
      "-datasource.url=http://127.0.0.1/",
    );
    assertEquals(dry.code, 0, dry.output);
  },
});

Deno.test({
  name: "promtool finds every unit test of the rules passed",
  ...needs("promtool"),
  async fn(): Promise<void> {
    // Prometheus 3 rounds in another order than 2, and can ignore the last digit.
    const { output: version } = await runToEnd("promtool", "--version");
    const tolerance = /version (\d+)/.exec(version)?.[1] === "2" ? "" : "fuzzy_compare: true\n";
    const folder = await Deno.makeTempDir({ prefix: "rules-test-" });
    const tests = Array.from(Deno.readDirSync(`${RULES}/tests`), ({ name }) => {
      const text = Deno.readTextFileSync(`${RULES}/tests/${name}`).replaceAll("- ../", `- ${RULES}/`);
      Deno.writeTextFileSync(`${folder}/${name}`, `${tolerance}${text}`);
      return `${folder}/${name}`;
    });
    const { code, output } = await runToEnd("promtool", "test", "rules", ...tests);
    await Deno.remove(folder, { recursive: true });
    assertEquals(code, 0, output);
  },
});

Deno.test("Every alert has a unit test in which it fires and one in which it does not", async (t) => {
  const cases = readTests("alerts_test.yml").flatMap(({ alert_rule_test = [] }) => alert_rule_test);
  for (const { alert } of ALERTS) {
    await t.step(`${alert}`, () => {
      const own = cases.filter(({ alertname }) => alertname === alert);
      assertEquals(own.some(({ exp_alerts }) => exp_alerts.length > 0), true, "it never fires");
      assertEquals(own.some(({ exp_alerts }) => exp_alerts.length === 0), true, "it is never quiet");
    });
  }
});

for (const file of ["recording.yml", ...COMPAT_FILES]) {
  Deno.test(`Every rule of ${file} has a unit test with numbers`, async (t) => {
    const cases = readTests(file.replace(".yml", "_test.yml"))
      .flatMap(({ promql_expr_test = [] }) => promql_expr_test);
    for (const { record } of readRules(file)) {
      await t.step(`${record}`, () => {
        const own = cases.filter(({ expr }) => expr.replace(/\{.*/, "") === record);
        assertEquals(own.some(({ exp_samples }) => exp_samples.length > 0), true);
      });
    }
  });
}

Deno.test("Every alert has a severity, words for people and a section in the runbook", async (t) => {
  const readme = Deno.readTextFileSync(`${ROOT}monitoring/README.md`);
  const sections = [...readme.matchAll(/^### (\w+)\n+([^#]+)/gm)].map(([, title = "", text = ""]) =>
    [title, text.trim()] as const
  );
  const runbook = new Map(sections);
  for (const { alert = "", labels, annotations } of ALERTS) {
    await t.step(alert, () => {
      assertMatch(labels?.["severity"] ?? "", /^(critical|warning)$/);
      assertMatch(annotations?.["summary"] ?? "", /\{\{ \$labels\.worker \}\}/);
      assertMatch(annotations?.["description"] ?? "", /^[A-Z{].{30,}\.$/);
      assertEquals(annotations?.["runbook_url"], `monitoring/README.md#${alert.toLowerCase()}`);
      assertEquals((runbook.get(alert) ?? "").length > 80, true, "its section is too short");
    });
  }
  const alerts = new Set(ALERTS.map(({ alert }) => alert));
  assertEquals([...runbook.keys()].filter((title) => !alerts.has(title)), []);
});

Deno.test("Recording rules are called level:metric:operations, and the level lists the labels that are left", () => {
  for (const { record = "", expr, labels = {} } of RECORDINGS) {
    assertMatch(record, /^worker(_[a-z_]+)?:[a-z_]+:(rate1m|ratio_rate1m|min|max|sum|info)$/);
    const left = [...namesOf(expr).groupingLabels, ...Object.keys(labels)];
    for (const label of levelLabels(record)) {
      const inherits = expr.includes("worker_");
      assertEquals(inherits || left.includes(label), true, `${record} groups by no ${label}`);
    }
  }
});
