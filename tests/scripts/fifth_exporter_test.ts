/** Follows CONTRIBUTING.md, "A fifth exporter", in a copy of the tree. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { packageFlags } from "../../scripts/package_flags.ts";
import { ROOT } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";

const FILES = "docs/fifth-exporter";
/** Files that an author writes or edits. */
const MOST_FILES = 10;
/** What is recorded by a task. */
const RECORDED = "tests/golden/pressure/normal.prom";

async function run(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${text}`);
  return text;
}

function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder)).flatMap((entry) =>
    entry.isDirectory ? filesIn(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]
  );
}

Deno.test({
  name: "CONTRIBUTING.md leads to a fifth exporter that serves, with its golden page and its audit",
  ...needs("git", "tar"),
  fn: async () => {
    const added = filesIn(`${ROOT}${FILES}`).map((path) => path.slice(`${ROOT}${FILES}/`.length))
      .filter((path) => path !== "edits.patch");
    const patch = await Deno.readTextFile(`${ROOT}${FILES}/edits.patch`);
    const edited = Array.from(patch.matchAll(/^\+\+\+ b\/(.+)$/gm), ([, path = ""]) => path);
    const byHand = [...added, ...edited].filter((path) => path !== RECORDED);
    assertEquals(byHand.length <= MOST_FILES, true, byHand.join(", "));
    const document = await Deno.readTextFile(`${ROOT}CONTRIBUTING.md`);
    for (const path of byHand) assertStringIncludes(document, `\`${path}\``);

    const copy = await Deno.makeTempDir({ prefix: "fifth-exporter-" });
    try {
      const list = `git ls-files -z --cached --others --exclude-standard | ` +
        `while IFS= read -r -d "" file; do [ ! -e "$file" ] || printf "%s\\0" "$file"; done`;
      await run(
        ROOT,
        "bash",
        "-c",
        `(${list}; find .setup -type f -print0) | tar -c --null -T - | tar -x -C ${copy}`,
      );
      for (const path of added) {
        await Deno.mkdir(`${copy}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
        await Deno.copyFile(`${ROOT}${FILES}/${path}`, `${copy}/${path}`);
      }
      await run(copy, "git", "apply", `${FILES}/edits.patch`);

      const deno = (...args: string[]): Promise<string> => run(copy, Deno.execPath(), ...args);
      const generate = ["run", ...packageFlags(), "--no-prompt", "-A", "scripts/generate.ts"];
      assertStringIncludes(await deno(...generate), "generate: systemd/deno-run/pressure-exporter.conf");
      assertEquals(await deno(...generate), "", "nothing is left to generate");
      await deno("fmt", "--check");
      await deno("lint");
      const tested = await deno(
        ...[
          "test",
          ...packageFlags("tests"),
          "--no-prompt",
          "-A",
          "--filter=/[Pp]ressure|repeats the manifests/",
        ],
        ...["tests/pressure", "tests/catalog_test.ts", "tests/permission_audit_test.ts"],
        ...["tests/deploy/units_test.ts", "tests/scripts/generate_test.ts"],
      );
      if (Deno.env.get("GOLDEN_UPDATE")) {
        await Deno.copyFile(`${copy}/${RECORDED}`, `${ROOT}${FILES}/${RECORDED}`);
      }
      assertEquals(/^ok \| 1[0-9] passed .*\| 0 failed/m.test(tested), true, tested);
      const { tasks } = JSON.parse(await Deno.readTextFile(`${copy}/deno.json`));
      assertStringIncludes(tasks.pressure.command, "--allow-read=/run/pressure --allow-net=0.0.0.0:9512");
    } finally {
      await Deno.remove(copy, { recursive: true });
    }
  },
});
