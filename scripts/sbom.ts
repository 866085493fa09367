/**
 * Writes what a compiled program contains as a software bill of materials, in the CycloneDX format, version 1.6:
 * `deno task sbom` makes dist/worker-exporters.cdx.json for the executable of all exporters, `deno task sbom NAME...`
 * dist/ARTIFACT.cdx.json for a program of its own for each. https://cyclonedx.org/docs/1.6/json/
 *
 * It describes the bundle: the packages whose files are in it, not all that was downloaded; and Deno,
 * which a compiled program carries. Where the libraries come from npm alone, those packages are listed. The same
 * bundle gives the same file.
 *
 * Exit code: 1 when a package has no licence, or one that is not allowed.
 *
 * @module
 */
import { CATALOG, type ExporterName, VERSION } from "../exporters/catalog.ts";
import { EXECUTABLE } from "../lib/run_by_name.ts";
import { type BundledPackage, bundledPackages } from "./sbom/bundled_packages.ts";
import { isAllowedLicence } from "./sbom/licences.ts";

/** A part of the bill. */
interface Component {
  readonly type: "library" | "platform" | "application";
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly ({ license: { id: string } } | { expression: string })[];
  readonly hashes?: readonly { alg: "SHA-512"; content: string }[];
  readonly purl?: string;
}

/** A CycloneDX document, as far as it is used here. */
export interface Bom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const NAMES = Object.keys(CATALOG) as ExporterName[];

/** The runtime, and the engine within it that has a licence of its own. */
const PLATFORM: readonly Component[] = [
  {
    type: "platform",
    "bom-ref": `pkg:github/denoland/deno@v${Deno.version.deno}`,
    name: "deno",
    version: Deno.version.deno,
    licenses: [{ license: { id: "MIT" } }],
    purl: `pkg:github/denoland/deno@v${Deno.version.deno}`,
  },
  {
    type: "platform",
    "bom-ref": `v8@${Deno.version.v8}`,
    name: "v8",
    version: Deno.version.v8,
    licenses: [{ license: { id: "BSD-3-Clause" } }],
  },
];

/** Describes a program with the packages in it. */
export async function createBom(artifact: string, packages: readonly BundledPackage[]): Promise<Bom> {
  const root = `${artifact}@${VERSION}`;
  const refs = new Map(packages.map((each) => [`${each.name}@${each.version}`, purlOf(each)]));
  const isDependency = new Set(packages.flatMap(({ dependencies }) => dependencies));
  const roots = [...refs].filter(([key]) => !isDependency.has(key)).map(([, ref]) => ref);
  const bom = {
    metadata: {
      component: {
        type: "application",
        "bom-ref": root,
        name: artifact,
        version: VERSION,
        licenses: [{ license: { id: "MIT" } }],
      },
    },
    components: [...packages.map(describe), ...PLATFORM],
    dependencies: [
      { ref: root, dependsOn: [...roots, ...PLATFORM.map((component) => component["bom-ref"])] },
      ...packages.map((each) => ({
        ref: purlOf(each),
        dependsOn: each.dependencies.map((key) => refs.get(key)).filter((ref) => ref !== undefined),
      })),
    ],
  } satisfies Partial<Bom>;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: await serialNumber(bom),
    version: 1,
    ...bom,
  };
}

/** What is wrong with the licences of packages, in sentences. */
export function licenceProblems(packages: readonly BundledPackage[]): string[] {
  return packages.filter(({ licence }) => licence === undefined || !isAllowedLicence(licence)).map((each) =>
    `${each.name} ${each.version}: ${
      each.licence === undefined ? "it names no licence" : `its licence "${each.licence}" is not allowed`
    }`
  );
}

function describe(bundled: BundledPackage): Component {
  const [group, name] = bundled.name.startsWith("@") ? bundled.name.split("/", 2) : [undefined, bundled.name];
  const { licence, sha512, version } = bundled;
  return {
    type: "library",
    "bom-ref": purlOf(bundled),
    ...(group === undefined ? {} : { group }),
    name: name ?? bundled.name,
    version,
    ...(licence === undefined
      ? {}
      : { licenses: [/[ ()]/.test(licence) ? { expression: licence } : { license: { id: licence } }] }),
    ...(sha512 === undefined ? {} : { hashes: [{ alg: "SHA-512", content: sha512 }] }),
    purl: purlOf(bundled),
  };
}

/** https://github.com/package-url/purl-spec; a package from JSR is known to npm's tools as `@jsr/scope__name`. */
function purlOf({ registry, name, version }: BundledPackage): string {
  return registry === "npm"
    ? `pkg:npm/${name.replace("@", "%40")}@${version}`
    : `pkg:npm/%40jsr/${name.slice(1).replace("/", "__")}@${version}`;
}

/** A UUID that follows from the content (RFC 9562, version 8). */
async function serialNumber(content: unknown): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(content)));
  const hex = new Uint8Array(digest).toHex();
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`];
  return `urn:uuid:${parts.join("-")}-${hex.slice(20, 32)}`;
}

/** The packages in the executable of all exporters, ordered by name and version. */
export async function allPackages(): Promise<BundledPackage[]> {
  const found = new Map<string, BundledPackage>();
  for (const name of NAMES) {
    for (const bundled of await bundledPackages(name)) {
      found.set(`${bundled.name}@${bundled.version}`, bundled);
    }
  }
  return [...found].sort(([left], [right]) => left < right ? -1 : 1).map(([, bundled]) => bundled);
}

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => !NAMES.some((name) => name === arg));
  if (unknown !== undefined) {
    say(`Cannot describe "${unknown}" as it must be one of ${NAMES.join(", ")}`);
    return 2;
  }
  await Deno.mkdir("dist", { recursive: true });
  const programs = args.length === 0
    ? [{ artifact: EXECUTABLE, packages: await allPackages() }]
    : await Promise.all(
      NAMES.filter((name) => args.includes(name)).map(async (name) => ({
        artifact: CATALOG[name].artifact,
        packages: await bundledPackages(name),
      })),
    );
  let exitCode = 0;
  for (const { artifact, packages } of programs) {
    const path = `dist/${artifact}.cdx.json`;
    await Deno.writeTextFile(path, `${JSON.stringify(await createBom(artifact, packages), null, 2)}\n`);
    say(`${path}: ${packages.length} packages`);
    for (const problem of licenceProblems(packages)) {
      say(`  ${problem}`);
      exitCode = 1;
    }
  }
  return exitCode;
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`sbom: ${line}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
