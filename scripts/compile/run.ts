/**
 * Runs the commands of a build in the project's folder.
 *
 * @module
 */

/** The project's folder. */
export const ROOT = new URL("../../", import.meta.url);

/** A build that failed, with the output of what failed. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

/** Runs a Deno. @throws {BuildError} when it fails */
export async function run(command: string, args: string[]): Promise<void> {
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
