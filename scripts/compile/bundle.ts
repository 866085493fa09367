/**
 * Puts exporters and all they import into JavaScript that needs no packages. `deno compile` overflows its stack
 * over npm imports (https://github.com/denoland/deno/issues/36746), and bundled code starts in half the time.
 *
 * @module
 */
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { EXECUTABLE } from "../../lib/run_by_name.ts";
import { UNUSED_PACKAGES } from "../../exporters/docker/unused_packages.ts";
import { packageFlags } from "../package_flags.ts";
import { ROOT, run } from "./run.ts";

/** The modules whose `PROGRAM` exporters run, relative to the project's folder, where they are not the usual ones. */
export type Modules = Partial<Record<ExporterName, string>>;

/** Bundles one exporter to one file, for `deno run` or an executable of its own, and returns the file's path. */
export async function bundleExporter(
  name: ExporterName,
  { folder = "dist", modules = {} }: { folder?: string; modules?: Modules } = {},
): Promise<string> {
  const script = `${folder}/${CATALOG[name].artifact}.js`;
  await bundle(`${folder}/.${CATALOG[name].artifact}`, [...packageFlags(name), `--output=${script}`], {
    // Imports run in order: permissions are narrowed before the first library is loaded.
    "first.ts": (up) =>
      `import { MANIFEST } from "${up}exporters/${name}/manifest.ts";
import { narrowGrants } from "${up}lib/narrow_grants.ts";
narrowGrants(MANIFEST, Deno.args);
`,
    "main.ts": (up, commit) =>
      `import "./first.ts";
import { runExporter } from "${up}lib/exporter.ts";
import { PROGRAM } from "${up}${moduleOf(name, modules)}";
Deno.exit(await runExporter(PROGRAM, Deno.args, ${commit}));
`,
  });
  return script;
}

/**
 * Bundles every exporter to a folder of files that are loaded as they are needed, for one executable, and returns
 * the path of the first. Minified: a source is kept in memory for as long as the process lives.
 */
export async function bundleAll(
  { folder = "dist", modules = {} }: { folder?: string; modules?: Modules } = {},
): Promise<string> {
  const parts = `${folder}/.${EXECUTABLE}.js`;
  // The docker exporter's libraries are those of all and one more.
  const flags = [...packageFlags("docker"), "--minify", "--code-splitting", `--outdir=${parts}`];
  await bundle(`${folder}/.${EXECUTABLE}`, flags, {
    "main.ts": (up, commit) => {
      const programs = (Object.keys(CATALOG) as ExporterName[])
        .map((name) => `  ${name}: async () => (await import("${up}${moduleOf(name, modules)}")).PROGRAM,\n`);
      return `import { PROJECT } from "${up}exporters/catalog.ts";
import { runByName } from "${up}lib/run_by_name.ts";
Deno.exit(await runByName(PROJECT, {\n${programs.join("")}}, Deno.args, ${commit}));
`;
    },
  });
  return `${parts}/main.js`;
}

function moduleOf(name: ExporterName, modules: Modules): string {
  return modules[name] ?? `exporters/${name}/main.ts`;
}

/** Writes the entry modules to a folder, bundles `main.ts` and removes them. */
async function bundle(
  entry: string,
  flags: readonly string[],
  entries: Readonly<Record<string, (up: string, commit: string) => string>>,
): Promise<void> {
  await Deno.mkdir(new URL(entry, ROOT), { recursive: true });
  const up = "../".repeat(entry.split("/").length);
  const built = JSON.stringify({ commit: await commit() });
  for (const [file, text] of Object.entries(entries)) {
    await Deno.writeTextFile(new URL(`${entry}/${file}`, ROOT), text(up, built));
  }
  await run(Deno.execPath(), [
    "bundle",
    "--quiet",
    ...UNUSED_PACKAGES.map((name) => `--external=${name}`),
    ...flags,
    `${entry}/main.ts`,
  ]);
  await Deno.remove(new URL(entry, ROOT), { recursive: true });
}

/** The commit that is built, marked if it was changed, or undefined outside of a git checkout. */
async function commit(): Promise<string | undefined> {
  const given = Deno.env.get("COMMIT");
  if (given) return given;
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["describe", "--always", "--exclude=*", "--dirty"],
      cwd: ROOT,
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
