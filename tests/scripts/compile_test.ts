import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { startCompiled, testCompiled, withCompiled, withCompiledExact } from "../support/compiled.ts";
import { ROOT, startExporter } from "../support/exporter_process.ts";

const ESCAPE_PROGRAM = "tests/support/escape_program.ts";

async function assertNoEscape(url: string): Promise<void> {
  const response = await fetch(`${url}/escape`);
  const results: Record<string, string> = await response.json();
  const expected = Object.fromEntries(
    Object.keys(results).map((what) => [
      what,
      // Not a matter of what is granted: that would take all permissions.
      what === "read /proc/self/environ" ? results[what] : "NotCapable",
    ]),
  );
  assertEquals(results, expected);
  assertEquals(Object.values(results).includes("succeeded"), false);
  assertEquals(Object.keys(results).length >= 10, true);
}

Deno.test("an exporter from its source cannot read, write, connect, listen, spawn or load", async () => {
  await using exporter = await startExporter("cpu", { script: ESCAPE_PROGRAM });
  await assertNoEscape(exporter.url);
});

testCompiled("a compiled exporter cannot read, write, connect, listen, spawn or load", async (t) => {
  const modules = { cpu: ESCAPE_PROGRAM };
  const check = async (executable: string): Promise<void> => {
    await using exporter = await startCompiled(executable);
    await assertNoEscape(exporter.url);
    assertEquals(await exporter.stop(), 0);
  };
  await t.step("with the permissions of all exporters, which it narrows", async () => {
    await withCompiled({ modules }, async (executable) => await check(linkOf(executable, "cpu")));
  });
  await t.step("with its task's permissions", async () => {
    await withCompiledExact("cpu", { modules, args: ["--port=0"] }, check);
  });
});

testCompiled(
  "a program that was compiled for its task alone says how to compile for other flags",
  async () => {
    await withCompiledExact("cpu", {}, async (executable) => {
      const { code, stderr } = await new Deno.Command(executable, { args: ["--powercap=/srv/p"] }).output();
      assertEquals(code, 2);
      assertStringIncludes(
        new TextDecoder().decode(stderr),
        'Cannot start as it has no permission for "read /srv/p": compile it with "deno task compile cpu --powercap=/srv/p"',
      );
    });
  },
);

testCompiled(
  "the executable is each exporter, by the name it is called by or its first argument",
  async (t) => {
    await withCompiled({}, async (executable) => {
      await t.step("alone, it explains itself", async () => {
        assertMatch(await output(executable, "--version"), /^worker-exporters \d+\.\d+\.\d+ \(deno .*\)\n$/);
        const help = await output(executable, "--help");
        for (const { artifact, port } of Object.values(CATALOG)) {
          assertStringIncludes(help, `on port ${port}; the same as ${artifact}`);
        }
        for (const args of [[], ["tpu"]]) {
          const { code, stderr } = await new Deno.Command(executable, { args }).output();
          assertEquals(code, 2);
          assertStringIncludes(
            new TextDecoder().decode(stderr),
            "the first argument must be one of cpu, gpu, ffmpeg, docker",
          );
        }
      });

      for (const name of Object.keys(CATALOG) as ExporterName[]) {
        await t.step(`${name}, by its link`, async () => {
          const link = linkOf(executable, name);
          assertMatch(await output(link, "--version"), new RegExp(`^${CATALOG[name].artifact} \\d+\\.\\d+`));
          assertStringIncludes(await output(link, "--help"), `Usage: ${CATALOG[name].artifact} [FLAGS]`);
          await using exporter = await startCompiled(link);
          assertStringIncludes(await (await fetch(`${exporter.url}/metrics`)).text(), `exporter="${name}"`);
        });

        await t.step(`${name}, by its argument`, async () => {
          assertEquals(
            await output(executable, name, "--version"),
            await output(linkOf(executable, name), "--version"),
          );
          await using exporter = await startCompiled(executable, [name]);
          assertStringIncludes(await (await fetch(`${exporter.url}/metrics`)).text(), `exporter="${name}"`);
        });
      }

      await t.step("it takes another port, address and folder", async () => {
        for (const host of ["127.0.0.1", "0.0.0.0"]) {
          const flags = [`--host=${host}`, `--powercap=${ROOT}exporters`];
          await using exporter = await startCompiled(linkOf(executable, "cpu"), flags);
          const health = await (await fetch(`${exporter.url}/health`)).json();
          // It could look there, and found no powercap tree.
          assertEquals(/permission/.test(JSON.stringify(health)), false, JSON.stringify(health));
        }
      });
    });
  },
);

function linkOf(executable: string, name: ExporterName): string {
  return executable.replace(/[^/]*$/, CATALOG[name].artifact);
}

async function output(executable: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(executable, { args }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
