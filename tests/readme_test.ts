/** What README.md promises is there. */
import { assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { ROOT } from "./support/exporter_process.ts";

const README = Deno.readTextFileSync(`${ROOT}README.md`);

Deno.test("README.md shows lines of a golden page", () => {
  const golden = new Set(Deno.readTextFileSync(`${ROOT}tests/golden/cpu/normal.prom`).split("\n"));
  const excerpt = /```\n(# HELP [\s\S]*?)\n```/.exec(README)?.[1]?.split("\n") ?? [];
  assertEquals(excerpt.length > 5, true);
  assertEquals(excerpt.filter((line) => !golden.has(line)), []);
});

Deno.test("README.md links to files that exist and names tasks that exist", () => {
  const links = [...README.matchAll(/\]\(([^)#]+)/g)].map(([, path]) => path ?? "");
  const broken = links.filter((path) => {
    try {
      return !path.startsWith("https://") && !Deno.statSync(`${ROOT}${path}`);
    } catch {
      return true;
    }
  });
  assertEquals(broken, []);
  const tasks = [...README.matchAll(/deno@\S+ task (\w+)/g)].map(([, task]) => task ?? "");
  assertEquals(tasks.filter((task) => !Object.hasOwn(config.tasks, task)), []);
});
