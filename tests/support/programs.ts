/**
 * Tests that need a program: skipped, by name, on a machine without it; a failure in CI, which installs all.
 *
 * @module
 */

const reported = new Set<string>();

/**
 * Options for `Deno.test` of a test that needs these programs on the PATH (or, with a slash, these files):
 * `Deno.test({ name, ...needs("ffmpeg"), fn })`.
 *
 * @throws {Error} in CI when one is missing
 */
export function needs(...programs: string[]): { ignore: boolean } {
  const options = programs.map((program) => runsIf(isInstalled(program), `${program} is not installed`));
  return { ignore: options.some(({ ignore }) => ignore) };
}

/** Options for `Deno.test` of a test that must run as root. @throws {Error} in CI when it does not */
export function needsRoot(): { ignore: boolean } {
  return runsIf(Deno.uid() === 0, "they need root");
}

/** Options for `Deno.test` of a test that makes mount and network namespaces. @throws {Error} in CI when it may not */
export function needsNamespaces(): { ignore: boolean } {
  const root = needsRoot();
  return root.ignore ? root : runsIf(canMakeNamespaces(), "this machine forbids namespaces");
}

/** Where a need is not met, reports it once, for however many tests. @throws {Error} in CI, which has to meet all */
export function runsIf(isMet: boolean, otherwise: string): { ignore: boolean } {
  if (!isMet && Deno.env.get("CI")) throw new Error(`CI skips no tests, but ${otherwise}`);
  if (!isMet && !reported.has(otherwise)) {
    reported.add(otherwise);
    print(`tests skipped: ${otherwise}`);
  }
  return { ignore: !isMet };
}

function canMakeNamespaces(): boolean {
  return isInstalled("unshare") &&
    new Deno.Command("unshare", { args: ["-mn", "true"], stderr: "null" }).outputSync().success;
}

/** Whether a program is on the PATH or in the folders where Debian keeps daemons. */
export function isInstalled(program: string): boolean {
  if (program.includes("/")) return isFile(program);
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.some((folder) => isFile(`${folder}/${program}`));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function print(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
