import { assertEquals } from "@std/assert";
import { ROOT } from "../support/exporter_process.ts";

/** Packages that cpu, gpu and ffmpeg may fetch. */
const MOST_PACKAGES = 15;

interface Lock {
  readonly npm: Readonly<Record<string, { readonly integrity: string }>>;
}

function packagesOf(path: string): Lock["npm"] {
  return (JSON.parse(Deno.readTextFileSync(`${ROOT}${path}`)) as Lock).npm;
}

Deno.test("what an exporter fetches is few packages: Deno fetches all that its lock names", () => {
  for (const path of ["deno.lock", "npm-only/deno.lock"]) {
    const names = Object.keys(packagesOf(path));
    assertEquals(names.length <= MOST_PACKAGES, true, `${path}: ${names.join(" ")}`);
  }
});

Deno.test("every lock has the same versions and hashes of npm packages", () => {
  const all = packagesOf("npm-only/tests.lock");
  for (
    const path of [
      "deno.lock",
      "exporters/docker/deno.lock",
      "tests/deno.lock",
      "npm-only/deno.lock",
      "npm-only/docker.lock",
    ]
  ) {
    const packages = Object.entries(packagesOf(path));
    const others = packages.filter(([name, { integrity }]) => all[name]?.integrity !== integrity);
    assertEquals([path, others.map(([name]) => name)], [path, []]);
  }
});

Deno.test("setup works where deno is not on the PATH, and writes the flags of each set of libraries", async () => {
  const folder = await Deno.makeTempDir({ prefix: "setup-test-" });
  try {
    for (
      const path of [
        "deno.json",
        "deno.lock",
        "npm-only/imports.json",
        "npm-only/deno.lock",
        "exporters/docker/imports.json",
        "tests/imports.json",
        "lib/jsr_imports.ts",
        "scripts/setup.ts",
      ]
    ) {
      await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.copyFile(`${ROOT}${path}`, `${folder}/${path}`);
    }
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-lock", "--no-prompt", "-A", "scripts/setup.ts"],
      cwd: folder,
      env: { PATH: "/nowhere" },
    }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    for (const name of ["docker", "tests"]) {
      const flags = await Deno.readTextFile(`${folder}/.setup/flags-${name}`);
      assertEquals(flags.startsWith(`--import-map=.setup/${name}.json --lock=`), true, flags);
      const { imports } = JSON.parse(await Deno.readTextFile(`${folder}/.setup/${name}.json`));
      assertEquals([imports.dockerode, "prom-client" in imports], ["npm:dockerode@5.0.1", true]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
