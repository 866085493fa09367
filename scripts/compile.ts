/**
 * Compiles exporters to self-contained executables, with their permissions in them:
 *
 *     deno task compile [--target TRIPLE] [--exact] [--bundle] [NAME [FLAG…]]…
 *
 * All four without a name, into dist/ (with `--target` into dist/TRIPLE/), with their SHA256SUMS. Beside each
 * lies the bundle that it was made of, for machines that have Deno; `--bundle` makes only these. The ports,
 * addresses and paths that an exporter's flags name can be chosen when it starts, see
 * lib/narrow_grants.ts; with `--exact` they are those of its task, or of the FLAGs given here.
 *
 * From the environment: `DENORT_BIN` names the base binary where it cannot be downloaded, `DENO_COMPILE` the
 * Deno that compiles where it is not this one, `COMMIT` what is built where git cannot tell.
 *
 * @module
 */
import { CATALOG, type ExporterName, VERSION } from "../exporters/catalog.ts";
import { UNUSED_PACKAGES } from "../exporters/docker/unused_packages.ts";
import { grantFlags, readCommandLine } from "../lib/command_line.ts";
import type { Grants } from "../lib/grants.ts";
import type { Manifest } from "../lib/manifest.ts";
import { wideGrants } from "../lib/narrow_grants.ts";
import { UNIX_BEFORE_2_9 } from "../lib/permissions.ts";
import { libraryFlags } from "./library_flags.ts";
import { parseSelection } from "./start.ts";

/** Where the project lies; commands run there. */
const ROOT = new URL("../", import.meta.url);

/** What a build needs beside the name. */
export interface CompileOptions {
  /** The exporter's own flags: the program is compiled with permission for what they name. */
  args?: readonly string[];
  /** Grants exactly that instead of leaving ports, addresses and paths open until the start. */
  exact?: boolean;
  /** `x86_64-unknown-linux-gnu` or `aarch64-unknown-linux-gnu`. @default this machine's */
  target?: string;
  /** The folder of the result, relative to the project's. @default `dist` */
  folder?: string;
  /** The module whose `PROGRAM` it runs, relative to the project's folder. @default `exporters/NAME/main.ts` */
  module?: string;
}

/** Bundles and compiles an exporter and returns the path of the executable, relative to the project's folder. */
export async function compileExporter(name: ExporterName, options: CompileOptions = {}): Promise<string> {
  const { args = [], exact = false, target, folder = "dist", module = `exporters/${name}/main.ts` } = options;
  const manifest: Manifest = CATALOG[name];
  const script = await bundleExporter(name, { folder, module });
  const compiler = Deno.env.get("DENO_COMPILE") || Deno.execPath();
  const grants = exact ? readCommandLine(manifest, args, () => undefined).grants : wideGrants(manifest, args);
  const executable = `${folder}/${manifest.artifact}`;
  await run(compiler, [
    "compile",
    ...["--quiet", "--no-check", "--no-config", "--no-lock"],
    ...grantFlags(manifest, await knownTo(compiler, grants)),
    ...(target ? [`--target=${target}`] : []),
    `--output=${executable}`,
    script,
  ]);
  await checkProcessor(executable, target ?? Deno.build.target);
  return executable;
}

/** Which processor an executable is for, as its ELF header says it (e_machine, man 5 elf). */
const MACHINES: Readonly<Record<string, number>> = { x86_64: 62, aarch64: 183 };

/** A base binary that was named is taken as it is, for whatever processor. */
async function checkProcessor(executable: string, target: string): Promise<void> {
  using file = await Deno.open(new URL(executable, ROOT));
  const header = new Uint8Array(20);
  await file.read(header);
  if (new DataView(header.buffer).getUint16(18, true) === MACHINES[target.split("-")[0] ?? ""]) return;
  await Deno.remove(new URL(executable, ROOT));
  throw new BuildError(`Cannot compile for ${target} as DENORT_BIN is for another processor`);
}

/**
 * Puts an exporter and all it imports into one file and returns its path. `deno compile` overflows its stack
 * over npm imports (https://github.com/denoland/deno/issues/36746), and one file starts in half the time.
 */
export async function bundleExporter(
  name: ExporterName,
  { folder = "dist", module = `exporters/${name}/main.ts` }: Pick<CompileOptions, "folder" | "module"> = {},
): Promise<string> {
  const { artifact } = CATALOG[name];
  const parts = `${folder}/.${artifact}`;
  await Deno.mkdir(new URL(parts, ROOT), { recursive: true });
  const up = "../".repeat(parts.split("/").length);
  await Deno.writeTextFile(
    new URL(`${parts}/${name}_first.ts`, ROOT),
    `import { MANIFEST } from "${up}exporters/${name}/manifest.ts";
import { narrowGrants } from "${up}lib/narrow_grants.ts";
narrowGrants(MANIFEST, Deno.args);
`,
  );
  await Deno.writeTextFile(
    new URL(`${parts}/${name}.ts`, ROOT),
    `import "./${name}_first.ts";
import { runExporter } from "${up}lib/exporter.ts";
import { PROGRAM } from "${up}${module}";
Deno.exit(await runExporter(PROGRAM, Deno.args, ${JSON.stringify({ commit: await commit() })}));
`,
  );
  const script = `${folder}/${artifact}.js`;
  await run(Deno.execPath(), [
    "bundle",
    "--quiet",
    ...libraryFlags(name),
    ...UNUSED_PACKAGES.map((name) => `--external=${name}`),
    `--output=${script}`,
    `${parts}/${name}.ts`,
  ]);
  await Deno.remove(new URL(parts, ROOT), { recursive: true });
  return script;
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

/** Says in other words what the compiling Deno cannot parse: before 2.9 there were no grants for Unix sockets. */
async function knownTo(compiler: string, grants: Grants): Promise<Grants> {
  const { stdout } = await new Deno.Command(compiler, { args: ["--version"] }).output();
  const [, major, minor] = /^deno (\d+)\.(\d+)/.exec(new TextDecoder().decode(stdout)) ?? [];
  if (Number(major) > 2 || Number(minor) >= 9) return grants;
  const net = (grants.net ?? []).map((entry) => entry.startsWith("unix:") ? UNIX_BEFORE_2_9 : entry);
  return { ...grants, net };
}

async function run(command: string, args: string[]): Promise<void> {
  const child = new Deno.Command(command, {
    args,
    cwd: ROOT,
    stdin: "null",
    stderr: "piped",
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  });
  const { success, stderr } = await child.output();
  if (success) return;
  const output = new TextDecoder().decode(stderr).replace(/\n\nStack backtrace:.*$/s, "").trim();
  throw new BuildError(/denort/.test(output) ? `${output}\n\n${denortAdvice(args)}` : output);
}

/** A build that failed, with the output of what failed. */
class BuildError extends Error {
  override readonly name = "BuildError";
}

function denortAdvice(args: string[]): string {
  const given = Deno.env.get("DENORT_BIN");
  if (given) return `DENORT_BIN names ${given}: it must be the denort of exactly this Deno and target`;
  const target = args.find((arg) => arg.startsWith("--target="))?.slice("--target=".length) ??
    Deno.build.target;
  return `The base binary of compiled programs cannot be downloaded here. Fetch
  https://dl.deno.land/release/v${Deno.version.deno}/denort-${target}.zip
on a machine that can, unpack it, and name it:
  DENORT_BIN=/path/to/denort deno task compile`;
}

/** Writes the sums of everything in the folder, as `sha256sum --check` reads them. */
async function writeSums(folder: string): Promise<void> {
  const files = Array.from(Deno.readDirSync(new URL(folder, ROOT)), ({ name }) => name)
    .filter((file) => /-exporter(\.js)?$/.test(file)).toSorted();
  const sums: string[] = [];
  for (const file of files) {
    const content = await Deno.readFile(new URL(`${folder}/${file}`, ROOT));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
    sums.push(`${digest}  ${file}\n`);
    say(`${folder}/${file} ${VERSION}, ${(content.length / 1e6).toFixed(1)} MB`);
  }
  await Deno.writeTextFile(new URL(`${folder}/SHA256SUMS`, ROOT), sums.join(""));
}

async function main(args: readonly string[]): Promise<number> {
  const rest = [...args];
  const options: CompileOptions = {};
  let onlyBundle = false;
  for (let first = rest[0]; first?.startsWith("--"); first = rest[0]) {
    rest.shift();
    const [flag, value = flag === "--target" ? rest.shift() : undefined] = first.split("=");
    if (flag === "--exact") options.exact = true;
    else if (flag === "--bundle") onlyBundle = true;
    else if (flag === "--target" && value) Object.assign(options, { target: value, folder: `dist/${value}` });
    else {throw new RangeError(
        `Cannot use "${first}" before the names: want --target TRIPLE, --exact or --bundle`,
      );}
  }
  for (const [name, flags] of parseSelection(rest)) {
    if (onlyBundle) await bundleExporter(name, options);
    else await compileExporter(name, { ...options, args: flags });
  }
  await writeSums(options.folder ?? "dist");
  return 0;
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof BuildError || error instanceof RangeError)) throw error;
    say(`compile: ${error.message}`);
    Deno.exit(error instanceof RangeError ? 2 : 1);
  }
}
