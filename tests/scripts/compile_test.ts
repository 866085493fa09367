import { assertEquals, assertStringIncludes } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { startCompiled, testCompiled, withCompiled } from "../support/compiled.ts";
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
  for (const exact of [false, true]) {
    const args = exact ? ["--port=0"] : [];
    await withCompiled("cpu", { module: ESCAPE_PROGRAM, exact, args }, async (executable) => {
      await t.step(exact ? "with its task's permissions" : "with permissions that it narrows", async () => {
        await using exporter = await startCompiled(executable);
        await assertNoEscape(exporter.url);
        assertEquals(await exporter.stop(), 0);
      });
    });
  }
});

testCompiled("a compiled exporter takes another port, address and folder", async () => {
  await withCompiled("cpu", {}, async (executable) => {
    for (const host of ["127.0.0.1", "0.0.0.0"]) {
      await using exporter = await startCompiled(executable, [
        `--host=${host}`,
        `--powercap=${ROOT}exporters`,
      ]);
      const health = await (await fetch(`${exporter.url}/health`)).json();
      // It could look there, and found no powercap tree.
      assertEquals(/permission/.test(JSON.stringify(health)), false, JSON.stringify(health));
    }
  });
});

testCompiled(
  "a program that was compiled for its task alone says how to compile for other flags",
  async () => {
    await withCompiled("cpu", { exact: true }, async (executable) => {
      const { code, stderr } = await new Deno.Command(executable, { args: ["--powercap=/srv/p"] }).output();
      assertEquals(code, 2);
      assertStringIncludes(
        new TextDecoder().decode(stderr),
        'Cannot start as it has no permission for "read /srv/p": compile it with "deno task compile cpu --powercap=/srv/p"',
      );
    });
  },
);

testCompiled("a compiled exporter ends with 2 and a sentence over wrong flags", async () => {
  await withCompiled("cpu", {}, async (executable) => {
    const wrong: [string[], string][] = [
      [["--powercap="], "its value is missing"],
      [["--", "--powercap=/"], "no such flag"],
      [["/etc"], "only flags are taken"],
    ];
    for (const [args, sentence] of wrong) {
      const { code, stderr } = await new Deno.Command(executable, { args }).output();
      const text = new TextDecoder().decode(stderr);
      assertEquals([code, text.startsWith("cpu-exporter: Cannot use")], [2, true], text);
      assertStringIncludes(text, sentence);
    }
  });
});

testCompiled("a compiled exporter takes its port from the environment", async () => {
  await withCompiled("cpu", {}, async (executable) => {
    const child = new Deno.Command(executable, {
      env: { CPU_EXPORTER_PORT: "0" },
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { port } = JSON.parse((await stdout.read()).value ?? "");
    assertEquals(await (await fetch(`http://127.0.0.1:${port}/-/ready`)).text(), "Ready\n");
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    await stdout.cancel();
  });
});

testCompiled("every exporter compiles, names itself and explains its flags", async (t) => {
  for (const name of Object.keys(CATALOG) as ExporterName[]) {
    await t.step(name, async () => {
      await withCompiled(name, {}, async (executable) => {
        const version = await new Deno.Command(executable, { args: ["--version"] }).output();
        const text = new TextDecoder().decode(version.stdout);
        assertEquals(
          new RegExp(`^${CATALOG[name].artifact} \\d+\\.\\d+\\.\\d+ \\(deno .*`).test(text),
          true,
          text,
        );
        const help = await new Deno.Command(executable, { args: ["--help"] }).output();
        assertEquals(help.code, 0);
        await using exporter = await startCompiled(executable);
        assertStringIncludes(await (await fetch(`${exporter.url}/metrics`)).text(), "exporter_build_info");
      });
    });
  }
});
