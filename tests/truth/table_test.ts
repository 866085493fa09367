/** Every metric is held against an account, or has a reason why not. */
import { assertEquals } from "@std/assert";
import { CATALOG } from "../../exporters/catalog.ts";
import { definitionsIn } from "../../scripts/generate/metrics.ts";
import { TRUTH_ROWS, withTruthTable } from "./table.ts";

const FOLDERS = {
  "Every exporter": "lib",
  ...Object.fromEntries(Object.keys(CATALOG).map((name) => [name, `exporters/${name}`])),
};

for (const [heading, folder] of Object.entries(FOLDERS)) {
  Deno.test(`Every metric of ${folder} is in the table of what it is held against, once`, async () => {
    const listed = (TRUTH_ROWS[heading] ?? []).map(({ metric }) => metric.name).sort();
    assertEquals(listed, (await definitionsIn(folder)).map(({ name }) => name).sort());
  });
}

Deno.test("tests/README.md shows what each metric is held against", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  assertEquals(
    readme.split("\n"),
    withTruthTable(readme).split("\n"),
    'The table is out of date: run "deno task truth:table"',
  );
});

Deno.test("Tests that stand in for an account exist", async () => {
  const root = new URL("../../", import.meta.url);
  const readme = await Deno.readTextFile(new URL("tests/README.md", root));
  const named = readme.split("\n").flatMap((line) =>
    line.includes("not here: ") ? line.match(/tests\/[\w/]+(?:\.ts)?/g) ?? [] : []
  );
  for (const path of new Set(named)) await Deno.stat(new URL(path, root));
});
