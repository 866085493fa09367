/** Walks the catalog and names whatever an exporter is missing. */
import { assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { CATALOG } from "../exporters/catalog.ts";
import { denoFlags } from "../lib/command_line.ts";
import { ROOT } from "./support/exporter_process.ts";

/** Whether `folder` holds an entry whose name matches. */
function holds(folder: string, name: RegExp): boolean {
  try {
    return [...Deno.readDirSync(`${ROOT}${folder}`)].some((entry) => name.test(entry.name));
  } catch {
    return false;
  }
}

function mentions(file: string, text: RegExp): boolean {
  try {
    return text.test(Deno.readTextFileSync(`${ROOT}${file}`));
  } catch {
    return false;
  }
}

for (const [name, manifest] of Object.entries(CATALOG)) {
  const { port, artifact } = manifest;
  Deno.test(`Exporter "${name}" has all that an exporter needs`, () => {
    const needed: Record<string, boolean> = {
      "a program, exporters/<name>/main.ts": holds(`exporters/${name}`, /^main\.ts$/),
      "a collector, exporters/<name>/collector.ts": holds(`exporters/${name}`, /^collector\.ts$/),
      "a task in deno.json": Object.hasOwn(config.tasks, name),
      "tests, tests/<name>/*_test.ts": holds(`tests/${name}`, /_test\.ts$/),
      "golden pages, tests/golden/<name>/": holds(`tests/golden/${name}`, /\.prom$/),
      "a unit, systemd/<artifact>.service": holds("systemd", new RegExp(`^${artifact}\\.service$`)),
      "a service in compose.yaml": mentions("compose.yaml", new RegExp(`^  ${artifact}:( &\\w+)?$`, "m")),
      "a row in README.md": mentions(
        "README.md",
        new RegExp(`^\\| \\[${name}\\]\\(exporters/${name}\\) +\\| ${port} `, "m"),
      ),
      "a place in DEPLOYMENT.md": mentions("DEPLOYMENT.md", new RegExp(artifact)),
    };
    const missing = Object.entries(needed).filter(([, there]) => !there).map(([what]) => what);
    assertEquals(missing, []);
  });

  Deno.test(`Exporter "${name}" is granted its own port and nothing without bounds`, () => {
    const flags = denoFlags(manifest);
    assertEquals(flags.includes("--no-prompt"), true);
    assertEquals(flags.filter((flag) => flag.startsWith("--allow-") && !flag.includes("=")), []);
    const net = flags.find((flag) => flag.startsWith("--allow-net="));
    assertEquals(net?.startsWith(`--allow-net=0.0.0.0:${port}`), true);
  });
}

Deno.test("No two exporters share a port or a name", () => {
  const rows = Object.values(CATALOG);
  assertEquals(new Set(rows.map(({ port }) => port)).size, rows.length);
  assertEquals(new Set(rows.map(({ artifact }) => artifact)).size, rows.length);
});

Deno.test("Every golden page belongs to an exporter of the catalog", () => {
  const folders = [...Deno.readDirSync(`${ROOT}tests/golden`)].filter(({ isDirectory }) => isDirectory);
  assertEquals(folders.map(({ name }) => name).filter((name) => !Object.hasOwn(CATALOG, name)), []);
});
