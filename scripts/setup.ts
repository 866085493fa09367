/**
 * Chooses where the libraries come from, and writes the choice as Deno flags to `.setup/flags`.
 *
 * JSR, locked by deno.lock, is tried once; where it cannot be reached, `npm-only/imports.json` takes its
 * place, with a lock file of its own. Every other task depends on this one and splices the flags in.
 * `.setup/` can be deleted at any time: the next task chooses again.
 *
 * Deno fetches all that a lock file names before it runs anything. So what only the tests need, or one exporter,
 * is named by an imports.json of its own, beside a lock of its own: `.setup/flags-tests`, `.setup/flags-docker`.
 *
 * @module
 */
const FOLDER = ".setup";
const PROBE = "lib/jsr_imports.ts";

/** How long JSR may take to answer before it counts as out of reach, in milliseconds. */
const JSR_TIMEOUT_MS = 20_000;

type Imports = Readonly<Record<string, string>>;

async function setup(): Promise<string | undefined> {
  const choiceFor = await fingerprint();
  if (await readText(`${FOLDER}/chosen_for`) === choiceFor) return;
  const isReachable = await canLoad();
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeTextFile(
    `${FOLDER}/flags`,
    isReachable ? "--frozen\n" : "--import-map=npm-only/imports.json --lock=npm-only/deno.lock --frozen\n",
  );
  const base = await baseImports(isReachable);
  const sets = await librarySets();
  for (const [name, own] of sets) {
    // The tests import every exporter.
    const all = name === "tests" ? sets.values().toArray() : [own];
    await Deno.writeTextFile(
      `${FOLDER}/${name}.json`,
      JSON.stringify({ imports: Object.assign({}, base, ...all) }),
    );
    const lock = isReachable ? `${folderOf(name)}/deno.lock` : `npm-only/${name}.lock`;
    await Deno.writeTextFile(
      `${FOLDER}/flags-${name}`,
      `--import-map=${FOLDER}/${name}.json --lock=${lock} --frozen\n`,
    );
  }
  await Deno.writeTextFile(`${FOLDER}/chosen_for`, choiceFor);
  return isReachable
    ? "setup: libraries come from JSR and npm"
    : "setup: JSR does not answer, libraries come from npm alone (npm-only/); to try JSR again, delete .setup";
}

/** What the choice depends on: when it changes, the choice is made again. */
async function fingerprint(): Promise<string> {
  const files = ["deno.json", "deno.lock", "npm-only/imports.json", "npm-only/deno.lock"];
  const texts = await Promise.all(files.map(readText));
  const sets = [...await librarySets()];
  const input = [Deno.version.deno, Deno.env.get("JSR_URL"), Deno.env.get("DENO_DIR"), texts, sets];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(input)));
  return new Uint8Array(digest).toHex();
}

/** The imports of deno.json or, where JSR is out of reach, those of npm-only/, as seen from `.setup/`. */
async function baseImports(isReachable: boolean): Promise<Imports> {
  if (isReachable) return JSON.parse(await Deno.readTextFile("deno.json")).imports;
  const { imports } = JSON.parse(await Deno.readTextFile("npm-only/imports.json")) as { imports: Imports };
  return Object.fromEntries(
    Object.entries(imports).map(([name, target]) => [name, target.replace(/^\.\//, "../npm-only/")]),
  );
}

/** Libraries that one exporter or the tests need beyond those of all, by whose they are. */
async function librarySets(): Promise<Map<string, Imports>> {
  const names = Array.from(Deno.readDirSync("exporters")).filter(({ isDirectory }) => isDirectory);
  const sets = new Map<string, Imports>();
  for (const name of [...names.map(({ name }) => name).toSorted(), "tests"]) {
    const text = await readText(`${folderOf(name)}/imports.json`);
    if (text !== undefined) sets.set(name, JSON.parse(text).imports);
  }
  return sets;
}

function folderOf(name: string): string {
  return name === "tests" ? name : `exporters/${name}`;
}

/** Whether the JSR imports resolve, from the network or from Deno's cache. */
async function canLoad(): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
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
  const chosen = await setup();
  // deno-lint-ignore no-console
  if (chosen) console.error(chosen);
}
