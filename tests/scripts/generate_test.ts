import { assertEquals } from "@std/assert";
import { staleFiles } from "../../scripts/generate.ts";

Deno.test("What repeats the manifests is as `deno task generate` writes it", () => {
  assertEquals(staleFiles().map(({ path }) => path), []);
});
