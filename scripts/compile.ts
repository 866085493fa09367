/**
 * Compiles self-contained executables, with their permissions in them:
 *
 *     deno task compile [--target TRIPLE] [--jit] [--bundle] [NAME [FLAG…]]…
 *     deno task compile [--target TRIPLE] --exact [NAME [FLAG…]]…
 *
 * The first makes one executable for all exporters, `worker-exporters`, and a link to it by each exporter's name. The
 * ports, addresses and paths that flags name can be chosen when it starts, see lib/narrow_grants.ts; the few that
 * cannot are compiled in by a FLAG here. With `--jit`, V8 compiles to machine code, which a thousand jobs are worth:
 * its units need systemd/drop-ins/jit.conf. `--exact` makes a program for each exporter with precisely the permissions of
 * its task, or of the FLAGs given here.
 *
 * Results go to dist/ (with `--target` to dist/TRIPLE/) with their SHA256SUMS. Beside them lies each exporter as one
 * file of JavaScript, for machines that have Deno; `--bundle` makes only these.
 *
 * From the environment: `DENORT_BIN` names the base binary where it cannot be downloaded, `DENO_COMPILE` the
 * Deno that compiles where it is not this one, `COMMIT` what is built where git does not know.
 *
 * @module
 */
import { CATALOG, type ExporterName, VERSION } from "../exporters/catalog.ts";
import { grantFlags, readCommandLine } from "../lib/command_line.ts";
import { type Grants, mergeGrants, permissionFlags } from "../lib/grants.ts";
import type { Manifest } from "../lib/manifest.ts";
import { wideGrants } from "../lib/narrow_grants.ts";
import { UNIX_BEFORE_2_9 } from "../lib/permissions.ts";
import { EXECUTABLE } from "../lib/run_by_name.ts";
import { bundleAll, bundleExporter, type Modules } from "./compile/bundle.ts";
import { BuildError, ROOT, run } from "./compile/run.ts";
import { parseSelection } from "./start.ts";

/** What both kinds of build take. */
export interface CompileOptions {
  /** `x86_64-unknown-linux-gnu` or `aarch64-unknown-linux-gnu`. @default this machine's */
  target?: string;
  /** The folder of the result, relative to the project's. @default `dist` */
  folder?: string;
  /** The modules whose `PROGRAM` it runs, relative to the project's folder. @default `exporters/NAME/main.ts` */
  modules?: Modules;
}

const MANIFESTS: readonly Manifest[] = Object.values(CATALOG);

/** What the executable of all exporters takes besides grants. */
export const FLAGS_OF_ALL: readonly string[] = [
  ...new Set(MANIFESTS.flatMap((each) => grantFlags(each, {}))),
];

/** What is granted to the executable of all exporters, with the flags of some by their names. */
export function wideGrantsOfAll(flags: ReadonlyMap<string, readonly string[]>): Grants {
  return mergeGrants(MANIFESTS.map((manifest) => wideGrants(manifest, flags.get(manifest.name))));
}

/** A flag of Deno as it is where V8 may compile to machine code. */
export function withJit(flag: string): string {
  return flag.startsWith("--v8-flags=") ? flag.replace(",--jitless", "") : flag;
}

/** Compiles the executable of all exporters, links it by their names and returns its path. */
export async function compileAll(
  options: CompileOptions & { flags?: ReadonlyMap<string, readonly string[]>; jit?: boolean } = {},
): Promise<string> {
  const { flags = new Map(), folder = "dist", jit = false } = options;
  const script = await bundleAll(options);
  const executable = `${folder}/${EXECUTABLE}`;
  await compile(
    script,
    executable,
    options.target,
    wideGrantsOfAll(flags),
    jit ? FLAGS_OF_ALL.map(withJit) : FLAGS_OF_ALL,
  );
  await Deno.remove(new URL(script.replace(/[^/]*$/, ""), ROOT), { recursive: true });
  for (const { artifact } of MANIFESTS) await run("ln", ["-sfn", EXECUTABLE, `${folder}/${artifact}`]);
  return executable;
}

/** Compiles one exporter with precisely the permissions that `args` need, and returns the path of its executable. */
export async function compileExact(
  name: ExporterName,
  options: CompileOptions & { args?: readonly string[] } = {},
): Promise<string> {
  const { args = [], folder = "dist" } = options;
  const manifest: Manifest = CATALOG[name];
  const script = await bundleExporter(name, options);
  const executable = `${folder}/${manifest.artifact}`;
  const { grants } = readCommandLine(manifest, args, () => undefined);
  await compile(script, executable, options.target, grants, grantFlags(manifest, {}));
  return executable;
}

async function compile(
  script: string,
  executable: string,
  target: string | undefined,
  grants: Grants,
  flags: readonly string[],
): Promise<void> {
  const compiler = Deno.env.get("DENO_COMPILE") || Deno.execPath();
  // It may be a link, through which another program would be written.
  await removeIfThere(executable);
  await run(compiler, [
    "compile",
    ...["--quiet", "--no-check", "--no-config", "--no-lock"],
    ...flags,
    ...permissionFlags(await knownTo(compiler, grants)),
    ...(target ? [`--target=${target}`] : []),
    `--output=${executable}`,
    script,
  ]);
  await checkProcessor(executable, target ?? Deno.build.target);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(new URL(path, ROOT));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Which processor an executable is for, by its ELF header (e_machine, man 5 elf). */
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

/** Explains what the compiling Deno cannot parse: before 2.9 there were no grants for Unix sockets. */
async function knownTo(compiler: string, grants: Grants): Promise<Grants> {
  const { stdout } = await new Deno.Command(compiler, { args: ["--version"] }).output();
  const [, major, minor] = /^deno (\d+)\.(\d+)/.exec(new TextDecoder().decode(stdout)) ?? [];
  if (Number(major) > 2 || Number(minor) >= 9) return grants;
  const net = (grants.net ?? []).map((entry) => entry.startsWith("unix:") ? UNIX_BEFORE_2_9 : entry);
  return { ...grants, net };
}

/** Writes the sums of what was built, as `sha256sum --check` reads them. */
async function writeSums(folder: string): Promise<void> {
  const files = Array.from(Deno.readDirSync(new URL(folder, ROOT)))
    .filter(({ name, isFile }) => isFile && (name === EXECUTABLE || /-exporter(\.js)?$/.test(name)))
    .map(({ name }) => name).toSorted();
  const sums: string[] = [];
  for (const file of files) {
    const content = await Deno.readFile(new URL(`${folder}/${file}`, ROOT));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
    sums.push(`${digest}  ${file}\n`);
    report(`${folder}/${file} ${VERSION}, ${(content.length / 1e6).toFixed(1)} MB`);
  }
  await Deno.writeTextFile(new URL(`${folder}/SHA256SUMS`, ROOT), sums.join(""));
}

async function main(args: readonly string[]): Promise<void> {
  const rest = [...args];
  const options: CompileOptions = {};
  let kind: "all" | "exact" | "bundle" = "all";
  let jit = false;
  for (let first = rest[0]; first?.startsWith("--"); first = rest[0]) {
    rest.shift();
    const [flag, value = flag === "--target" ? rest.shift() : undefined] = first.split("=");
    if (flag === "--exact") kind = "exact";
    else if (flag === "--bundle") kind = "bundle";
    else if (flag === "--jit") jit = true;
    else if (flag === "--target" && value) Object.assign(options, { target: value, folder: `dist/${value}` });
    else {
      throw new RangeError(
        `Cannot use "${first}" before the names: it must be --target TRIPLE, --exact, --jit or --bundle`,
      );
    }
  }
  const flags = parseSelection(rest);
  if (kind === "all") await compileAll({ ...options, flags, jit });
  for (const [name, args] of flags) {
    if (kind === "exact") await compileExact(name, { ...options, args });
    else await bundleExporter(name, options);
  }
  await writeSums(options.folder ?? "dist");
}

function report(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!(error instanceof BuildError || error instanceof RangeError)) throw error;
    report(`compile: ${error.message}`);
    Deno.exit(error instanceof RangeError ? 2 : 1);
  }
}
