/**
 * Chooses where the libraries come from, and writes the choice as Deno flags to `.setup/flags`.
 *
 * JSR, locked by deno.lock, is tried once; where it cannot be reached, `npm-only/imports.json` takes its
 * place, with a lock file of its own. Every other task depends on this one and splices the flags in.
 * `.setup/` can be deleted at any time: the next task chooses again.
 *
 * @module
 */
const FOLDER = ".setup";
const PROBE = "lib/jsr_imports.ts";
const NPM_ONLY_FLAGS = "--import-map=npm-only/imports.json --lock=npm-only/deno.lock --frozen";

/** How long JSR may take to answer before it counts as out of reach, in milliseconds. */
const JSR_TIMEOUT_MS = 20_000;

async function setup(): Promise<string | undefined> {
  const choiceFor = await fingerprint();
  if (await readText(`${FOLDER}/chosen_for`) === choiceFor) return;
  const reachable = await canLoad();
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeTextFile(`${FOLDER}/flags`, reachable ? "--frozen\n" : `${NPM_ONLY_FLAGS}\n`);
  await Deno.writeTextFile(`${FOLDER}/chosen_for`, choiceFor);
  return reachable
    ? "setup: libraries come from JSR and npm"
    : "setup: JSR does not answer, libraries come from npm alone (npm-only/); to try JSR again, delete .setup";
}

/** What the choice depends on: when it changes, the choice is made again. */
async function fingerprint(): Promise<string> {
  const locks = await Promise.all([readText("deno.lock"), readText("npm-only/deno.lock")]);
  const input = JSON.stringify([Deno.version.deno, Deno.env.get("JSR_URL"), Deno.env.get("DENO_DIR"), locks]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(input));
  return new Uint8Array(digest).toHex();
}

/** Whether the JSR imports resolve, from the network or from Deno's cache. */
async function canLoad(): Promise<boolean> {
  const child = new Deno.Command("deno", {
    args: ["cache", "--quiet", "--frozen", PROBE],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(JSR_TIMEOUT_MS),
  });
  const { success, stderr } = await child.output();
  const message = new TextDecoder().decode(stderr);
  // A lock that does not fit is a fault of the project or an attack, not a network without JSR.
  if (!success && /integrity|lockfile/i.test(message)) throw new Error(message.trim());
  return success;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  const said = await setup();
  // deno-lint-ignore no-console
  if (said) console.error(said);
}
