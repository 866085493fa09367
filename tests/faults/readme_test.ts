import { assertEquals } from "@std/assert";
import { withTable } from "./table.ts";

Deno.test("tests/README.md shows the faults as they are tested", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  assertEquals(
    readme.split("\n"),
    withTable(readme).split("\n"),
    'The table is out of date: run "deno task faults:table"',
  );
});
