/**
 * Tests that need a program: skipped, by name, on a machine without it; a failure in CI, which installs all.
 *
 * @module
 */

const missing = new Set<string>();

/**
 * Options for `Deno.test` of a test that needs these programs on the PATH (or, with a slash, these files):
 * `Deno.test({ name, ...needs("ffmpeg"), fn })`.
 *
 * @throws {Error} in CI when one is missing
 */
export function needs(...programs: string[]): { ignore: boolean } {
  const absent = programs.filter((program) => !isInstalled(program));
  if (absent.length > 0 && Deno.env.get("CI")) throw new Error(`CI must install: ${absent.join(", ")}`);
  for (const program of absent) {
    if (missing.has(program)) continue;
    missing.add(program);
    say(`tests skipped: ${program} is not installed`);
  }
  return { ignore: absent.length > 0 };
}

/** Options for `Deno.test` of a test that must run as root. */
export function needsRoot(): { ignore: boolean } {
  const ignore = Deno.uid() !== 0;
  if (ignore && !missing.has("root")) {
    missing.add("root");
    say("tests skipped: they need root");
  }
  return { ignore };
}

/** Options for `Deno.test` of a test that makes mount and network namespaces. @throws {Error} in CI when it may not */
export function needsNamespaces(): { ignore: boolean } {
  const root = needsRoot();
  if (root.ignore || canMakeNamespaces()) return root;
  if (Deno.env.get("CI")) throw new Error("CI must allow namespaces: unshare -mn fails");
  if (!missing.has("namespaces")) {
    missing.add("namespaces");
    say("tests skipped: this machine forbids namespaces");
  }
  return { ignore: true };
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

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
