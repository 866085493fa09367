/** What each exporter may do is what it does, and what it does is what it may do. */
import { assertEquals } from "@std/assert";
import { CATALOG, type ExporterName } from "../exporters/catalog.ts";
import { denoFlags } from "../lib/command_line.ts";
import { permissionFlags } from "../lib/grants.ts";
import { FLAGS_OF_ALL, wideGrantsOfAll } from "../scripts/compile.ts";
import { bundleAll } from "../scripts/compile/bundle.ts";
import { Audit, covers, grantsOf, type Use } from "./support/audit.ts";
import { makeCertificates } from "./support/certificates.ts";
import { testCompiled } from "./support/compiled.ts";
import { eventually, ROOT, startExporter } from "./support/exporter_process.ts";
import type { PermissionStates } from "./support/probes/probe.ts";
import { ProcessTree } from "../simulation/process_tree.ts";
import { FfmpegRig } from "./support/rigs/ffmpeg.ts";
import { needs, needsRoot } from "./support/programs.ts";
import { RIGS, withCompiledRigs } from "./support/rigs/all.ts";
import { assertFollows, type Rig, sourceHealth } from "./support/rigs/rig.ts";

const NAMES = Object.keys(CATALOG) as ExporterName[];

/** What any exporter's task grants. */
const ALL_GRANTS = NAMES.flatMap((name) => grantsOf(denoFlags(CATALOG[name])));

function assertSame(used: readonly Use[], granted: readonly Use[]): void {
  const show = ({ permission, value }: Use): string => `${permission} ${value}`;
  assertEquals(
    used.filter((use) => !granted.some((grant) => covers(grant, use))).map(show),
    [],
    "not granted",
  );
  assertEquals(granted.filter((grant) => !used.some((use) => covers(grant, use))).map(show), [], "not used");
}

/** All that an exporter meets: scrapes, people, strangers, a source that goes and comes. */
async function live(rig: Rig): Promise<void> {
  await assertFollows(rig);
  const accept = "application/openmetrics-text; version=1.0.0";
  await rig.exporter.metrics({ headers: { accept, "accept-encoding": "gzip" } });
  for (
    const path of [
      "/",
      "/page/page.css",
      "/page/page.js",
      "/page/history.json",
      "/health",
      "/-/ready",
      "/-/healthy",
      "/nowhere",
    ]
  ) {
    await (await fetch(`${rig.exporter.url}${path}`)).body?.cancel();
  }
  await (await fetch(`${rig.exporter.url}/metrics`, { method: "POST", body: "x" })).body?.cancel();
  await rig.hide();
  await eventually(async () => {
    await rig.exporter.metrics();
    assertEquals((await sourceHealth(rig)).up, false);
  });
  await rig.show();
  await eventually(async () => {
    await rig.exporter.metrics();
    assertEquals((await sourceHealth(rig)).status, "ok");
  }, 20_000);
  await assertFollows(rig);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** While it serves, it has of what was granted what it may keep, and nothing else. */
async function assertKeeps(name: ExporterName, rig: Rig, granted: readonly Use[]): Promise<void> {
  const grants = granted.filter(({ permission }) => permission !== "env");
  const query = new URLSearchParams(grants.map(({ permission, value }) => [permission, value]));
  const states: PermissionStates = await (await fetch(`${rig.exporter.url}/permissions?${query}`)).json();
  const kept = grantsOf(rig.exporter.flags).filter(RIGS[name].keeps)
    .map(({ permission, value }) => `${permission} ${value}`).filter((key) => key in states);
  assertEquals(Object.keys(states).filter((key) => states[key] === "granted").sort(), kept.sort());
}

async function stop(rig: Pick<Rig, "exporter">): Promise<void> {
  rig.exporter.kill("SIGTERM");
  assertEquals(await rig.exporter.exitCode, 0, rig.exporter.stderr());
}

testCompiled(
  "the executable keeps under each name what that exporter may keep, and nothing else",
  async (t) => {
    const modules = Object.fromEntries(NAMES.map((name) => [name, `tests/support/probes/${name}.ts`]));
    await withCompiledRigs(modules, async (create) => {
      for (const name of NAMES) {
        await t.step(name, async () => {
          await using rig = await create(name);
          await assertFollows(rig);
          await assertKeeps(name, rig, [...ALL_GRANTS, ...grantsOf(rig.exporter.flags)]);
          await stop(rig);
        });
      }
    });
  },
);

Deno.test({
  name:
    "the executable's code uses under each name what that exporter is granted, and is granted what it uses",
  ...needs("cc"),
  fn: async (t) => {
    const folder = `dist/test-${crypto.randomUUID()}`;
    const script = await bundleAll({ folder });
    const sockets = `${ROOT}${folder}/docker`;
    // Run by Deno, as compiled programs write no audit.
    const run = [
      ...[Deno.execPath(), "run", "--no-config", "--no-lock"],
      ...FLAGS_OF_ALL,
      ...permissionFlags(
        wideGrantsOfAll(new Map([["docker", [`--docker-host=unix://${sockets}/docker.sock`]]])),
      ),
      script,
    ];
    try {
      for (const name of NAMES) {
        await t.step(name, async () => {
          using audit = new Audit();
          await using rig = await RIGS[name].create({
            command: [...run, name],
            folder: sockets,
            env: audit.env,
          });
          await live(rig);
          await stop(rig);
          // Deno looks for packages beside bundled CommonJS, is refused and goes on.
          const uses = audit.uses().filter(({ value }) => !value.endsWith("/node_modules"));
          assertSame(uses, grantsOf(rig.exporter.flags));
        });
      }
    } finally {
      await Deno.remove(`${ROOT}${folder}`, { recursive: true });
    }
  },
});

for (const name of NAMES) {
  const { create, programs } = RIGS[name];

  Deno.test({
    name: `${name} exporter uses in its whole life what it is granted, and is granted what it uses`,
    ...needs(...programs),
    fn: async () => {
      using audit = new Audit();
      await using rig = await create({ env: audit.env });
      await live(rig);
      await stop(rig);
      assertSame(audit.uses(), grantsOf(rig.exporter.flags));
    },
  });

  Deno.test({
    name: `${name} exporter needs every value of its task's own flags`,
    ignore: needs("unshare").ignore || needsRoot().ignore,
    fn: async () => {
      using audit = new Audit();
      const flags = denoFlags(CATALOG[name]);
      // A network of its own, so that the port is free.
      await using exporter = await startExporter(name, {
        prefix: ["unshare", "--net"],
        permissions: flags,
        env: audit.env,
        args: [
          `--port=${CATALOG[name].port}`,
          ...(name === "ffmpeg" ? ["--progress-dir=/run/ffmpeg-progress"] : []),
        ],
      });
      // With a driver on this machine, the places after the one where its library is need not be looked at.
      const granted = grantsOf(flags);
      const found = granted.findIndex(({ permission, value }) => permission === "ffi" && exists(value));
      const needed = granted.filter(({ permission }, index) =>
        found < 0 || permission !== "ffi" || index <= found
      );
      await eventually(() => assertSame(audit.uses(), needed), 5_000);
      await stop({ exporter });
      assertSame(audit.uses(), needed);
    },
  });

  Deno.test({
    name: `${name} exporter has given back all that it need not keep once it serves`,
    ...needs(...programs),
    fn: async () => {
      await using rig = await create({ script: `tests/support/probes/${name}.ts` });
      await assertFollows(rig);
      await assertKeeps(name, rig, grantsOf(rig.exporter.flags));
    },
  });
}

Deno.test({
  name: "--processes adds the folder that it names to what the ffmpeg exporter may read, and nothing else",
  fn: async () => {
    using tree = new ProcessTree();
    tree.set(10);
    using audit = new Audit();
    await using rig = await FfmpegRig.create({ env: audit.env, args: [`--processes=${tree.path}`] });
    await live(rig);
    await stop(rig);
    const granted = grantsOf(rig.exporter.flags);
    const added = { permission: "read", value: tree.path };
    assertSame(granted.filter(({ value }) => value === tree.path), [added]);
    assertSame(audit.uses(), granted);
    const without = denoFlags(CATALOG.ffmpeg, [
      "--host=127.0.0.1",
      "--port=0",
      `--progress-dir=${rig.folder}`,
    ]);
    assertSame([...grantsOf(without), added], granted);
  },
});

Deno.test({
  name: "a web configuration adds the files that it names to what an exporter may read, and nothing else",
  ...needs("openssl", "curl"),
  fn: async () => {
    await using certificates = await makeCertificates();
    const { cert, key } = await certificates.issue("server");
    const config = `${certificates.folder}/web.yml`;
    await Deno.writeTextFile(config, `tls_server_config: { cert_file: ${cert}, key_file: ${key} }\n`);
    using audit = new Audit();
    await using rig = await RIGS.cpu.create({ env: audit.env, args: [`--web.config.file=${config}`] });
    const { success } = await new Deno.Command("curl", {
      args: [
        "--silent",
        "--fail",
        "--cacert",
        certificates.ca,
        `https://127.0.0.1:${rig.exporter.port}/metrics`,
      ],
      stdout: "null",
    }).output();
    assertEquals(success, true);
    await stop(rig);
    const granted = grantsOf(rig.exporter.flags);
    const files = [cert, config, key].map((value) => ({ permission: "read", value }));
    assertSame(granted.filter(({ value }) => value.startsWith(certificates.folder)), files);
    assertSame(audit.uses(), granted);
  },
});
