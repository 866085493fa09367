// The validator looks for these by itself.
import "ajv";
import "ajv-formats";
import "ajv-formats-draft2019";
import { Version } from "@cyclonedx/cyclonedx-library/Spec";
import { JsonStrictValidator } from "@cyclonedx/cyclonedx-library/Validation";
import { assert, assertEquals } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { allPackages, type Bom, createBom, licenceProblems } from "../../scripts/sbom.ts";
import { type BundledPackage, bundledPackages } from "../../scripts/sbom/bundled_packages.ts";
import { isAllowedLicence } from "../../scripts/sbom/licences.ts";

const PACKAGE: BundledPackage = {
  registry: "npm",
  name: "@scope/thing",
  version: "1.2.3",
  licence: "(MIT OR GPL-3.0-only)",
  sha512: "ab".repeat(64),
  dependencies: ["other@1.0.0", "not-bundled@1.0.0"],
};
const OTHER: BundledPackage = {
  registry: "jsr",
  name: "@std/path",
  version: "1.0.0",
  licence: "MIT",
  sha512: undefined,
  dependencies: [],
};

async function assertValid(bom: Bom): Promise<void> {
  assertEquals(await new JsonStrictValidator(Version.v1dot6).validate(JSON.stringify(bom)), null);
}

for (const name of Object.keys(CATALOG) as ExporterName[]) {
  Deno.test(`the bill of materials of ${name} is valid, and every licence in it is allowed`, async () => {
    const packages = await bundledPackages(name);
    assertEquals(licenceProblems(packages), []);
    assert(packages.some((bundled) => bundled.name === "prom-client"));
    assertEquals(
      packages.filter(({ registry, sha512 }) => registry === "npm" && !sha512),
      [],
      "without a checksum",
    );
    const bom = await createBom(name, packages);
    await assertValid(bom);
    assertEquals(await createBom(name, packages), bom);
  });
}

Deno.test("the bill of materials of the executable has the packages of every exporter", async () => {
  const packages = await allPackages();
  const bom = await createBom("worker-exporters", packages);
  await assertValid(bom);
  const names = bom.components.map(({ name }) => name);
  assertEquals(["prom-client", "dockerode", "js-yaml"].filter((name) => !names.includes(name)), []);
});

Deno.test("a bill of materials names packages as the registries do, and what depends on what", async () => {
  const bom = await createBom("cpu", [PACKAGE, OTHER, { ...PACKAGE, name: "other", version: "1.0.0" }]);
  await assertValid(bom);
  assertEquals(bom.components.slice(0, 2).map(({ group, name, purl }) => ({ group, name, purl })), [
    { group: "@scope", name: "thing", purl: "pkg:npm/%40scope/thing@1.2.3" },
    {
      group: "@std",
      name: "path",
      purl: "pkg:npm/%40jsr/std__path@1.0.0",
    },
  ]);
  assertEquals(bom.dependencies[1], {
    ref: "pkg:npm/%40scope/thing@1.2.3",
    dependsOn: ["pkg:npm/other@1.0.0"],
  });
});

Deno.test("isAllowedLicence() reads SPDX expressions", () => {
  const cases: Readonly<Record<string, boolean>> = {
    "MIT": true,
    "GPL-3.0-only": false,
    "MIT OR GPL-3.0-only": true,
    "(MIT OR GPL-3.0-only)": true,
    "MIT AND GPL-3.0-only": false,
    "MIT AND ISC": true,
    "GPL-2.0-only OR (MIT AND Zlib)": true,
    "(GPL-2.0-only OR MIT) AND SSPL-1.0": false,
    "SEE LICENSE IN LICENSE.md": false,
    "UNLICENSED": false,
    "(MIT": false,
    "": false,
  };
  for (const [expression, allowed] of Object.entries(cases)) {
    assertEquals(isAllowedLicence(expression), allowed, expression);
  }
});

Deno.test("licenceProblems() names packages without a licence and with one that is not allowed", () => {
  assertEquals(
    licenceProblems([OTHER, { ...PACKAGE, licence: undefined }, { ...PACKAGE, licence: "AGPL-3.0-only" }]),
    [
      "@scope/thing 1.2.3: it names no licence",
      '@scope/thing 1.2.3: its licence "AGPL-3.0-only" is not allowed',
    ],
  );
});
