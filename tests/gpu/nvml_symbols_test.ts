/** The symbol table against the C prototypes beside it: a wrong parameter would crash the process. */
import { assertEquals } from "@std/assert";
import { NVML_SYMBOLS } from "../../exporters/gpu/nvml_symbols.ts";

const SOURCE = new URL("../../exporters/gpu/nvml_symbols.ts", import.meta.url);
/** A prototype in a comment, and the row below it. */
const ROW_REGEXP = /\/\*\*((?:(?!\*\/)[^])*)\*\/\n {2}(nvml\w+): /g;
const PROTOTYPE_REGEXP = /`nvmlReturn_t (nvml\w+)\(([^)]*)\);`/;

/** What an argument of a C type is to Deno. */
function nativeType(parameter: string): string {
  if (parameter.includes("*")) return "buffer";
  if (/^nvml(?:Device|EventSet)_t /.test(parameter)) return "usize";
  if (parameter.startsWith("unsigned long long ")) return "u64";
  return parameter.startsWith("unsigned int ") ? "u32" : "i32";
}

Deno.test("NVML_SYMBOLS has the parameters of the C prototypes", async () => {
  const checked: string[] = [];
  for (const [, comment = "", row = ""] of (await Deno.readTextFile(SOURCE)).matchAll(ROW_REGEXP)) {
    const text = comment.replaceAll(/\s*\n\s*\*\s*/g, " ").replace(
      "…",
      "nvmlDevice_t device, unsigned int *infoCount",
    );
    const [, name, parameters = ""] = PROTOTYPE_REGEXP.exec(text) ?? [];
    assertEquals(name, row);
    const types = parameters === "void" ? [] : parameters.split(", ").map(nativeType);
    assertEquals([...NVML_SYMBOLS[row as keyof typeof NVML_SYMBOLS].parameters], types, row);
    checked.push(row);
  }
  assertEquals(checked.sort(), Object.keys(NVML_SYMBOLS).sort());
});
