/** The pictures that the README shows are of this version. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FOLDER, PICTURES, SOFTWARE } from "./pictures.ts";
import { textOf } from "./support/png_text.ts";

for (const name of Object.keys(PICTURES)) {
  Deno.test(`docs/images/${name} is of this version, and the README shows it`, () => {
    assertEquals(
      textOf(Deno.readFileSync(new URL(name, FOLDER)), "Software"),
      SOFTWARE,
      "deno task pictures",
    );
    assertStringIncludes(
      Deno.readTextFileSync(new URL("../README.md", import.meta.url)),
      `docs/images/${name}`,
    );
  });
}
