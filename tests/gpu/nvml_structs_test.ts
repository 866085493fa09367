/** The struct layouts, held against a C compiler's. */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { NvmlBuffer, type StructLayout, STRUCTS } from "../../exporters/gpu/nvml_structs.ts";
import { runCc } from "../support/nvml_stub.ts";
import { needs } from "../support/programs.ts";

Deno.test({
  name: "STRUCTS has the sizes, offsets and versions that C has",
  ...needs("cc"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const source = fromFileUrl(new URL("../support/nvml_layouts.c", import.meta.url));
      await runCc(["-Wall", "-Werror", "-o", `${folder}/layouts`, source]);
      const { stdout } = await new Deno.Command(`${folder}/layouts`).output();
      assertEquals(describe(STRUCTS), new TextDecoder().decode(stdout).trim().split("\n").sort());
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

function describe(structs: Readonly<Record<string, StructLayout>>): string[] {
  return Object.entries(structs).flatMap(([name, { size, version = 0, members }]) => [
    `${name} = ${size} ${version}`,
    ...Object.entries(members).map(([member, [offset, size]]) => `${name} ${member} ${offset} ${size}`),
  ]).sort();
}

Deno.test("NvmlBuffer.text() ends at the NUL or at the end of the buffer, and survives what is no UTF-8", () => {
  const cases: [bytes: number[], text: string][] = [
    [[0x41, 0x42, 0, 0x43], "AB"],
    [[0x41, 0x42, 0x43, 0x44], "ABCD"],
    [[0x41, 0xff, 0x42, 0], "A\ufffdB"],
    [[0x0a, 0x41, 0x20, 0], "A"],
    [[0, 0, 0, 0], ""],
  ];
  for (const [bytes, text] of cases) {
    const buffer = new NvmlBuffer(4);
    buffer.bytes.set(bytes);
    assertEquals(buffer.text(), text);
  }
});
