/** No memory of an exporter is writable and executable: it runs where the kernel denies that, as its unit has it denied. */
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { testCompiled, withCompiled } from "../support/compiled.ts";
import { DenyWriteExecute, writableAndExecutable } from "../support/deny_write_execute.ts";
import { startExporter } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";
import { RIGS, withCompiledRigs } from "../support/rigs/all.ts";
import { assertFollows, type Rig, type RigOptions } from "../support/rigs/rig.ts";

const NAMES = Object.keys(CATALOG) as ExporterName[];

async function assertDenied(create: (options: RigOptions) => Promise<Rig>): Promise<void> {
  using denial = await DenyWriteExecute.create();
  await using rig = await create({ prefix: denial.prefix });
  await assertFollows(rig);
  assertEquals(writableAndExecutable(rig.exporter.pid), []);
}

for (const name of NAMES) {
  Deno.test({
    name: `${name} exporter follows its source without memory that is writable and executable`,
    ...needs("cc"),
    fn: async () => await assertDenied(RIGS[name].create),
  });
}

testCompiled("the executable is each exporter without memory that is writable and executable", async (t) => {
  await withCompiledRigs({}, async (create) => {
    for (const name of NAMES) {
      await t.step(name, async () => await assertDenied((options) => create(name, options)));
    }
  });
});

testCompiled("made with --jit, it has such memory and dies where that is denied", async () => {
  using denial = await DenyWriteExecute.create();
  await withCompiled({ jit: true }, async (executable) => {
    await using exporter = await startExporter("cpu", { command: [executable, "cpu"] });
    assertNotEquals(writableAndExecutable(exporter.pid), []);
    await assertRejects(() => startExporter("cpu", { command: [...denial.prefix, executable, "cpu"] }));
  });
});
