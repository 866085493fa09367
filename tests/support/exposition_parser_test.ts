/** The parser that other tests trust, on pages with one fault each. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname } from "@std/path";
import { CONTENT_TYPE } from "../../lib/exposition.ts";
import { goldenPath } from "./golden.ts";
import { parseExposition } from "./exposition_parser.ts";

const GOOD = `# HELP a_joules_total Joules \\\\ and\\na break.
# TYPE a_joules_total counter
a_joules_total{zone="x\\"\\\\\\n",path="é"} 12.5
a_joules_total{zone="y"} 1e+21
# HELP b_ratio Ratio.
# TYPE b_ratio gauge
b_ratio -Inf
# HELP c_seconds Times.
# TYPE c_seconds histogram
c_seconds_bucket{le="0.5"} 1
c_seconds_bucket{le="1.0"} 3
c_seconds_bucket{le="+Inf"} 4
c_seconds_sum 4.5
c_seconds_count 4
`;
const OPENMETRICS = `${GOOD.replaceAll(/(# \w+ a_joules)_total/g, "$1")}# EOF\n`;

Deno.test("parseExposition() reads both formats", () => {
  for (const [page, type] of [[GOOD, CONTENT_TYPE.text], [OPENMETRICS, CONTENT_TYPE.openmetrics]] as const) {
    const families = parseExposition(page, type);
    assertEquals([...families.values()].map((family) => family.samples.length), [2, 1, 5]);
    const [counter] = families.values();
    assertEquals(counter?.help, "Joules \\ and\na break.");
    assertEquals(counter?.samples[0], {
      name: "a_joules_total",
      labels: { zone: 'x"\\\n', path: "é" },
      value: 12.5,
    });
  }
});

const FAULTS: [from: string | RegExp, to: string, fault: string][] = [
  ["c_seconds_count 4\n", "c_seconds_count 4", "no line feed"],
  ["b_ratio -Inf", "b_ratio -Inf 1700000000", "no sample of the family"],
  ["b_ratio -Inf", "b_ratio -infinity", "no number"],
  ["b_ratio -Inf", "b_ratio 0x10", "no number"],
  ["b_ratio -Inf", "b_ratio\t1", "no sample of the family"],
  ["b_ratio -Inf", "c_ratio 1", "no sample of the family"],
  ["b_ratio -Inf", "", "no sample of the family"],
  ["b_ratio -Inf\n", "", "b_ratio: no samples"],
  ["b_ratio -Inf", "# a comment", "neither HELP"],
  ["# TYPE b_ratio gauge\n", "", "b_ratio: no TYPE"],
  ["# TYPE b_ratio gauge\n", "# TYPE b_ratio gauge\n# TYPE b_ratio gauge\n", "a second TYPE"],
  ["# HELP b_ratio Ratio.\n", "", "b_ratio: no HELP"],
  ["TYPE b_ratio gauge", "TYPE b_ratio number", "an unknown type"],
  ["HELP b_ratio Ratio.", "HELP b_ratio R\\atio.", "an unknown escape"],
  [/(b_ratio -Inf\n)([^]*)/, "$1$2b_ratio 2\n", "no sample of the family"],
  [/$/, "# HELP b_ratio Again.\n", "comes back after another family"],
  ['{zone="y"}', '{zone="x\\"\\\\\\n",path="é"}', "a second sample of the same series"],
  ['{zone="y"}', '{path="é",zone="x\\"\\\\\\n"}', "a second sample of the same series"],
  ['{zone="y"}', '{zone="y",zone="z"}', "the label zone comes twice"],
  ['{zone="y"}', '{zone="y",}', "malformed labels"],
  ['{zone="y"}', '{zone="\\t"}', "malformed labels"],
  ['{zone="y"}', '{__zone="y"}', "is reserved"],
  ['{zone="y"} 1e+21', '{zone="y"} -1', "a counter below zero"],
  ["b_ratio -Inf", "b_ratio \ud800", "not valid Unicode"],
  ['le="+Inf"', 'le="2.0"', "is not +Inf"],
  ['le="1.0"', 'le="0.1"', "do not rise"],
  ['le="1.0"} 3', 'le="1.0"} 0', "counts of {} fall"],
  ["c_seconds_count 4", "c_seconds_count 5", "is not the count"],
  ["c_seconds_sum 4.5\n", "", "no sum or count"],
];

for (const [from, to, fault] of FAULTS) {
  Deno.test(`parseExposition() finds ${fault}: ${JSON.stringify(to.slice(0, 40))}`, () => {
    const error = assertThrows(() => parseExposition(GOOD.replace(from, to), CONTENT_TYPE.text), SyntaxError);
    assertStringIncludes(error.message, fault);
  });
}

const OPENMETRICS_FAULTS: [from: string, to: string, fault: string][] = [
  ["# EOF\n", "", "# EOF is not the last line"],
  ["# EOF\n", "# EOF\n\n", "# EOF is not the last line"],
  ["# EOF\n", "# EOF\n# EOF\n", "neither HELP"],
  ["a_joules_total{zone=", "a_joules{zone=", "no sample of the family"],
  ['le="1.0"', 'le="1"', "a bound without .0"],
  ["# TYPE b_ratio gauge\n", "# TYPE b_ratio gauge\n# UNIT b_ratio seconds\n", "the unit is no suffix"],
  [
    "# HELP b_ratio Ratio.\n# TYPE b_ratio gauge\nb_ratio -Inf",
    "# HELP a_joules_total T.\n# TYPE a_joules_total gauge\na_joules_total 1",
    "_total",
  ],
];

for (const [from, to, fault] of OPENMETRICS_FAULTS) {
  Deno.test(`parseExposition() finds in OpenMetrics ${fault}: ${JSON.stringify(to.slice(0, 40))}`, () => {
    const page = OPENMETRICS.replace(from, to);
    const error = assertThrows(() => parseExposition(page, CONTENT_TYPE.openmetrics), SyntaxError);
    assertStringIncludes(error.message, fault);
  });
}

Deno.test("Every golden page passes parseExposition()", async () => {
  const folder = dirname(goldenPath("x"));
  for (const exporter of Deno.readDirSync(folder)) {
    for (const { name } of Deno.readDirSync(`${folder}/${exporter.name}`)) {
      const page = await Deno.readTextFile(`${folder}/${exporter.name}/${name}`);
      // In these the buckets are masked, as what differs from run to run, and the counts are not.
      const masked = page.replace(/^(docker_api_duration_seconds_count\{.*\}) \d+$/gm, "$1 0");
      const families = parseExposition(masked, CONTENT_TYPE.text);
      assertEquals(families.size > 0, true, `${exporter.name}/${name}`);
    }
  }
});
