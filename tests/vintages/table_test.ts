/** The table of vintages. */
import { assertEquals } from "@std/assert";
import { withTable } from "./table.ts";

Deno.test("tests/README.md has the table of vintages as their last runs left it", () => {
  const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
  assertEquals(withTable(readme).split("\n"), readme.split("\n"));
});
