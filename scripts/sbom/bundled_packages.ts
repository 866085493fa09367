/**
 * Finds out which packages are in a compiled exporter: it is bundled as `deno task compile` bundles it, with a
 * source map, and the map names every file that was taken in.
 *
 * Needs to run Deno and to read Deno's cache, where each npm package lies with its package.json.
 *
 * @module
 */
import { join } from "@std/path";
import type { ExporterName } from "../../exporters/catalog.ts";
import { packageFlags } from "../package_flags.ts";

/** A package of which at least one file is in the bundle. */
export interface BundledPackage {
  readonly registry: "npm" | "jsr";
  /** With its scope: `@std/path`. */
  readonly name: string;
  readonly version: string;
  /** As the package declares it, an SPDX expression; undefined where it declares none. */
  readonly licence: string | undefined;
  /** The sha512 of the archive it came in, in hexadecimal, from the lock file. */
  readonly sha512: string | undefined;
  /** Packages it depends on, as `name@version`, whether they are in the bundle or not. */
  readonly dependencies: readonly string[];
}

const ROOT = new URL("../../", import.meta.url);
/** A file in Deno's cache of npm packages. What a package carries within itself is a part of it. */
const NPM_FILE_REGEXP = /^(.*?\/npm\/[^/]+\/((?:@[^/]+\/)?[^/@]+)\/(\d[^/]*))\//;
/** A file from JSR, by its address. */
const JSR_FILE_REGEXP = /\/(@[a-z\d-]+\/[a-z\d-]+)\/(\d[^/]*)\//;
/** JSR packages declare their licence in the repository they come from: https://github.com/denoland/std */
const JSR_LICENCES: Readonly<Record<string, string>> = { "@std": "MIT" };

interface Lock {
  readonly npm?: Readonly<Record<string, { integrity?: string; dependencies?: readonly string[] }>>;
}

/** The packages in an exporter's bundle, ordered by name and version. */
export async function bundledPackages(name: ExporterName): Promise<BundledPackage[]> {
  const flags = packageFlags(name);
  const lockFile = flags.find((flag) => flag.startsWith("--lock="))?.slice("--lock=".length) ?? "deno.lock";
  const lock: Lock = JSON.parse(await Deno.readTextFile(new URL(lockFile, ROOT)));
  const found = new Map<string, BundledPackage>();
  for (const file of await bundledFiles(name, flags)) {
    const bundled = await npmPackage(file, lock) ?? jsrPackage(file);
    if (bundled) found.set(`${bundled.name}@${bundled.version}`, bundled);
  }
  return [...found].sort(([left], [right]) => left < right ? -1 : 1).map(([, bundled]) => bundled);
}

/** Absolute paths or addresses of all files in the bundle. */
async function bundledFiles(name: ExporterName, flags: string[]): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "sbom-" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--quiet",
        ...flags,
        "--external=*.node",
        "--sourcemap=external",
        `--output=${folder}/bundle.js`,
        `exporters/${name}/main.ts`,
      ],
      cwd: ROOT,
      stdout: "null",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    const { sources }: { sources: string[] } = JSON.parse(await Deno.readTextFile(`${folder}/bundle.js.map`));
    return sources.map((source) => /^\w+:\/\//.test(source) ? source : join(folder, source));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function npmPackage(file: string, lock: Lock): Promise<BundledPackage | undefined> {
  const [, folder, name, version] = NPM_FILE_REGEXP.exec(file) ?? [];
  if (!folder || !name || !version) return undefined;
  // A version of which there are several copies, for their own dependencies differ, is numbered: 1.2.3_1.
  const plain = version.replace(/_.*$/, "");
  const locked = lock.npm?.[`${name}@${plain}`];
  return {
    registry: "npm",
    name,
    version: plain,
    licence: licenceOf(JSON.parse(await Deno.readTextFile(`${folder}/package.json`))),
    sha512: locked?.integrity?.startsWith("sha512-")
      ? Uint8Array.fromBase64(locked.integrity.slice("sha512-".length)).toHex()
      : undefined,
    dependencies: (locked?.dependencies ?? []).map((dependency) => withVersion(dependency, lock)),
  };
}

/** The lock file leaves the version out where there is only one. */
function withVersion(dependency: string, lock: Lock): string {
  if (dependency.lastIndexOf("@") > 0) return dependency;
  return Object.keys(lock.npm ?? {}).find((key) => key.slice(0, key.lastIndexOf("@")) === dependency) ??
    dependency;
}

function jsrPackage(file: string): BundledPackage | undefined {
  const [, name, version] = JSR_FILE_REGEXP.exec(file) ?? [];
  if (!name || !version) return undefined;
  const licence = JSR_LICENCES[name.split("/", 1)[0] ?? ""];
  return { registry: "jsr", name, version, licence, sha512: undefined, dependencies: [] };
}

/** `license` is text; packages from long ago have an object or a list. */
function licenceOf({ license, licenses }: { license?: unknown; licenses?: unknown }): string | undefined {
  const declared = [license, licenses].flat().filter((each) => each !== undefined);
  const names = declared.map((each) =>
    typeof each === "string" ? each : (each as { type?: unknown } | null)?.type
  );
  const texts = names.filter((each) => typeof each === "string" && each !== "");
  return texts.length > 1 ? `(${texts.join(" OR ")})` : texts[0] as string | undefined;
}
