import { assertEquals } from "@std/assert";
import { packageFlags } from "../../scripts/package_flags.ts";
import { ROOT } from "../support/exporter_process.ts";

function modulesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(`${ROOT}${folder}`)).flatMap(({ name, isDirectory }) =>
    isDirectory ? modulesIn(`${folder}/${name}`) : name.endsWith(".ts") ? [`${folder}/${name}`] : []
  );
}

Deno.test("every export of lib/ is documented and typed: deno doc --lint", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", ...packageFlags(), "--lint", ...modulesIn("lib")],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "null",
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
});
