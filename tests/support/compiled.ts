/**
 * Compiled exporters for tests: they need a base binary (`DENORT_BIN`), which .ci/run names where it has one.
 *
 * @module
 */
import type { ExporterName } from "../../exporters/catalog.ts";
import { compileExporter, type CompileOptions } from "../../scripts/compile.ts";
import { ROOT } from "./exporter_process.ts";

/**
 * Registers a test that compiles, where `DENORT_BIN` names a base binary: none can be downloaded on some
 * networks, so that a machine without one lacks nothing that it could install.
 */
export function testCompiled(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  if (Deno.env.get("DENORT_BIN")) Deno.test(name, fn);
  else Deno.stderr.writeSync(new TextEncoder().encode(`not tested without DENORT_BIN: ${name}\n`));
}

/** A compiled exporter that runs; disposing of it ends it. */
export interface CompiledProcess extends AsyncDisposable {
  readonly url: string;
  /** Ends it with SIGTERM and returns the exit code. */
  stop(): Promise<number>;
}

/** Compiles into a temporary folder below dist/, which `use` may fill with processes and which then goes. */
export async function withCompiled(
  name: ExporterName,
  options: CompileOptions,
  use: (executable: string) => Promise<void>,
): Promise<void> {
  const folder = `dist/test-${crypto.randomUUID()}`;
  try {
    await use(`${ROOT}${await compileExporter(name, { ...options, folder })}`);
  } finally {
    await Deno.remove(`${ROOT}${folder}`, { recursive: true });
  }
}

/** Starts an executable and waits until it says on which port it listens. */
export async function startCompiled(
  executable: string,
  args: readonly string[] = [],
): Promise<CompiledProcess> {
  const child = new Deno.Command(executable, {
    args: ["--port=0", "--log.level=error", ...args],
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
