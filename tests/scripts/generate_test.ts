import { assertEquals } from "@std/assert";
import { CATALOG } from "../../exporters/catalog.ts";
import { definitionsIn } from "../../scripts/generate/metrics.ts";
import { ROOT } from "../support/exporter_process.ts";
import { staleFiles } from "../../scripts/generate.ts";

Deno.test("What repeats the manifests is as `deno task generate` writes it", async () => {
  assertEquals((await staleFiles()).map(({ path }) => path), []);
});

/** Metrics whose definition depends on flags. */
const DYNAMIC = ["docker_container_labels"];

Deno.test("docs/METRICS.md has every metric of the golden pages", async () => {
  const common = await definitionsIn("lib");
  for (const name of Object.keys(CATALOG)) {
    const own = await definitionsIn(`exporters/${name}`);
    const known = new Set([...common, ...own].map(({ name }) => name).concat(DYNAMIC));
    const folder = `${ROOT}tests/golden/${name}`;
    const families = Array.from(Deno.readDirSync(folder)).filter(({ name }) => name.endsWith(".prom"))
      .flatMap(({ name }) => [...Deno.readTextFileSync(`${folder}/${name}`).matchAll(/^# TYPE (\S+)/gm)])
      .map(([, family = ""]) => family);
    assertEquals([name, [...new Set(families)].filter((family) => !known.has(family))], [name, []]);
  }
});
