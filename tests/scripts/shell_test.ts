import { assertEquals } from "@std/assert";
import { ROOT } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";

async function run(command: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd: ROOT }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** Scripts of sh and bash, by their first line. */
async function shellScripts(): Promise<string[]> {
  const { text } = await run("git", "ls-files");
  return text.split("\n").filter((path) => {
    if (/(?:^|\/)[^.]*(?:\.sh)?$/.test(path) === false || path === "") return false;
    const [first = ""] = Deno.readTextFileSync(`${ROOT}${path}`).split("\n", 1);
    return /^#!.*\b(?:ba)?sh\b|^# shellcheck shell=/.test(first);
  });
}

Deno.test({
  name: "shellcheck finds nothing in any script",
  ...needs("shellcheck", "git"),
  fn: async () => {
    const scripts = await shellScripts();
    assertEquals(scripts.includes("scripts/install") && scripts.includes(".ci/run"), true, scripts.join(" "));
    assertEquals(await run("shellcheck", "--external-sources", ...scripts), { code: 0, text: "" });
  },
});
