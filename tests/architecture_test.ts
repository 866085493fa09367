/** Which way imports may go, and what is loaded before a compiled exporter has narrowed its permissions. */
import { assertEquals } from "@std/assert";
import { CATALOG } from "../exporters/catalog.ts";
import { ROOT } from "./support/exporter_process.ts";

/** Each folder may import those after it, and itself. */
const ORDER = ["bench", "tests", "scripts", "simulation", "exporters", "lib"] as const;
/** Of the runtime, or as trusted as it: what may be loaded before permissions are narrow. */
const TRUSTED = /^(?:node:|@std\/cli\/parse-args$)/;
const IMPORT_REGEXP = /(?:^|\n)(?:import|export)\s(?:[^"';]*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)/g;

function modulesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(`${ROOT}${folder}`)).flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return modulesIn(path);
    return path.endsWith(".ts") && !path.endsWith(".d.ts") ? [path] : [];
  });
}

/** What a module imports, relative paths resolved against the project's folder; types too, unless left out. */
function importsOf(path: string, { types = true } = {}): string[] {
  let text = Deno.readTextFileSync(`${ROOT}${path}`).replace(/^\s*(?:\/?\*|\/\/).*$/gm, "");
  if (!types) text = text.replace(/(?:^|\n)(?:import|export) type [^;]*;/g, "");
  return Array.from(text.matchAll(IMPORT_REGEXP), ([, plain, dynamic]) => plain ?? dynamic ?? "")
    .map((name) => name.startsWith(".") ? new URL(name, `file:///${path}`).pathname.slice(1) : name);
}

Deno.test("imports go from bench to tests, scripts, simulation, exporters and lib, never back", () => {
  assertEquals(importsOf("lib/exporter.ts").includes("lib/command_line.ts"), true);
  for (const [rank, folder] of ORDER.entries()) {
    const forbidden = ORDER.slice(0, rank);
    const wrong = modulesIn(folder).flatMap((path) =>
      importsOf(path).filter((name) => forbidden.some((other) => name.startsWith(`${other}/`)))
        .map((name) => `${path} imports ${name}`)
    );
    assertEquals(wrong, []);
  }
});

Deno.test("no exporter imports another one", () => {
  const names = Object.keys(CATALOG);
  const wrong = names.flatMap((name) =>
    modulesIn(`exporters/${name}`).flatMap((path) =>
      importsOf(path).filter((imported) =>
        names.some((other) => other !== name && imported.startsWith(`exporters/${other}/`))
      ).map((imported) => `${path} imports ${imported}`)
    )
  );
  assertEquals(wrong, []);
});

Deno.test("manifests and what narrows permissions load no library but the argument parser", () => {
  const seen = new Set<string>();
  const libraries: string[] = [];
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const name of importsOf(path, { types: false })) {
      if (name.endsWith(".ts")) visit(name);
      else if (!TRUSTED.test(name)) libraries.push(`${path} imports ${name}`);
    }
  };
  visit("lib/narrow_grants.ts");
  for (const name of Object.keys(CATALOG)) visit(`exporters/${name}/manifest.ts`);
  assertEquals(seen.has("lib/command_line.ts"), true);
  assertEquals(libraries, []);
});
