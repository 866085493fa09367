/**
 * Compiled exporters for tests. They need Deno's base binary, which `DENORT_BIN` names or `deno compile` downloads.
 *
 * @module
 */
import type { ExporterName } from "../../exporters/catalog.ts";
import { compileAll, compileExact } from "../../scripts/compile.ts";
import { ROOT } from "./exporter_process.ts";

/** Registers a test that compiles: skipped, by name, where there is neither a base binary nor a network for one. */
export function testCompiled(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ...needsCompiler(), fn });
}

/** Options for `Deno.test` of a test that compiles. */
export function needsCompiler(): { ignore: boolean } {
  return { ignore: !canCompile() };
}

let isPossible: boolean | undefined;

function canCompile(): boolean {
  return isPossible ??= Deno.env.get("DENORT_BIN") !== undefined || compilesNothing();
}

/** Compiles a program of one statement, which downloads the base binary where that is possible. */
function compilesNothing(): boolean {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/nothing.js`, "0;");
    return new Deno.Command(Deno.env.get("DENO_COMPILE") || Deno.execPath(), {
      args: ["compile", "--quiet", "--no-config", `--output=${folder}/nothing`, `${folder}/nothing.js`],
      stderr: "null",
    }).outputSync().success;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A compiled exporter that runs; disposing of it ends it. */
export interface CompiledProcess extends AsyncDisposable {
  readonly url: string;
  /** Ends it with SIGTERM and returns the exit code. */
  stop(): Promise<number>;
}

/** Compiles all exporters into a temporary folder below dist/, which then goes. */
export async function withCompiled(
  options: Parameters<typeof compileAll>[0],
  use: (executable: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => await use(`${ROOT}${await compileAll({ ...options, folder })}`));
}

/** Fetches what compiling needs, libraries and the bundler, for a test that then compiles without a network. */
export async function fetchForCompiling(): Promise<void> {
  await withCompiled({}, () => Promise.resolve());
}

/** Compiles one exporter with precisely the permissions for its flags into a temporary folder, which then goes. */
export async function withCompiledExact(
  name: ExporterName,
  options: Parameters<typeof compileExact>[1],
  use: (executable: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => await use(`${ROOT}${await compileExact(name, { ...options, folder })}`));
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = `dist/test-${crypto.randomUUID()}`;
  try {
    await use(folder);
  } finally {
    await Deno.remove(`${ROOT}${folder}`, { recursive: true });
  }
}

/** Starts an executable and waits until it reports on which port it listens; a variable may choose a free one. */
export async function startCompiled(
  executable: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<CompiledProcess> {
  const child = new Deno.Command(executable, {
    args: [...args, ...(Object.keys(env).length > 0 ? [] : ["--port=0"]), "--log.level=error"],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await stdout.read();
  const { port } = JSON.parse(value) as { port: number };
  const stop = async (): Promise<number> => {
    child.kill("SIGTERM");
    return (await child.status).code;
  };
  let stopped: Promise<number> | undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => stopped ??= stop(),
    async [Symbol.asyncDispose](): Promise<void> {
      await (stopped ??= stop());
      await stdout.cancel();
    },
  };
}
