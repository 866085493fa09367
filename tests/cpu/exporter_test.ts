import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { INTEL_RANGE_MICROJOULES } from "../../simulation/powercap_tree.ts";
import { Audit } from "../support/audit.ts";
import { eventually, ROOT, startExporter, testPermissions } from "../support/exporter_process.ts";
import { TemporaryTree, valueOf } from "../support/powercap.ts";
import { PRIVATE_MACHINE_PROGRAMS, startPrivately } from "../support/private_machine.ts";
import { needs, needsNamespaces } from "../support/programs.ts";
import { packageFlags } from "../../scripts/package_flags.ts";

const PACKAGE_0 = {
  path: "intel-rapl/intel-rapl:0",
  name: "package-0",
  rangeMicrojoules: INTEL_RANGE_MICROJOULES,
};
const PACKAGE_1 = {
  path: "intel-rapl/intel-rapl:1",
  name: "package-1",
  rangeMicrojoules: INTEL_RANGE_MICROJOULES,
};
const START_MICROJOULES = INTEL_RANGE_MICROJOULES - 100_000_000n;

function needsPrivateMachine(): { ignore: boolean } {
  const programs = needs(...PRIVATE_MACHINE_PROGRAMS);
  return programs.ignore ? programs : needsNamespaces();
}

/** A tree of two packages that everybody may read. */
function publicTree(): TemporaryTree {
  const tree = new TemporaryTree([
    { ...PACKAGE_0, energyMicrojoules: START_MICROJOULES },
    { ...PACKAGE_1, energyMicrojoules: 0n },
  ]);
  Deno.chmodSync(tree.root, 0o755);
  return tree;
}

Deno.test({
  name: "the exporter follows a real bind mount at /run/powercap as an unprivileged user",
  ...needsPrivateMachine(),
  fn: async (t) => {
    using tree = publicTree();
    await using exporter = await startPrivately({ args: ["--interval=100ms"] });
    const pageWith = (check: (page: string) => void): Promise<void> =>
      eventually(async () => check(await exporter.curl("/metrics")));
    const energyOf = (page: string, { path }: { path: string }): number | undefined =>
      valueOf(page, "rapl_energy_joules_total", { path });

    await t.step("without a tree it explains what to do", async () => {
      assertEquals(valueOf(await exporter.curl("/metrics"), "rapl_available"), 0);
      const advice =
        'run "mkdir -p /run/powercap && mount --bind /sys/devices/virtual/powercap /run/powercap"';
      assertStringIncludes((await exporter.health()).sources[0]?.reason ?? "", advice);
      await eventually(() => assertMatch(exporter.stderr(), /mount --bind/));
      assertEquals(exporter.stderr().split("mount --bind").length, 2, exporter.stderr());
    });
    await t.step("it picks up a tree that is mounted", async () => {
      await exporter.mountPowercap(tree.root);
      await pageWith((page) => {
        assertEquals(valueOf(page, "rapl_available"), 1);
        assertEquals([energyOf(page, PACKAGE_0), energyOf(page, PACKAGE_1)], [0, 0]);
      });
      assertEquals((await exporter.health()).status, "ok");
    });
    await t.step("counters move, to the microjoule", async () => {
      tree.setEnergy(PACKAGE_0.path, START_MICROJOULES + 12_345_678n);
      tree.setEnergy(PACKAGE_1.path, 1n);
      await pageWith((page) => {
        assertEquals([energyOf(page, PACKAGE_0), energyOf(page, PACKAGE_1)], [12.345678, 0.000001]);
        assertEquals(valueOf(page, "rapl_node_energy_joules_total"), 12.345679);
        assert((valueOf(page, "rapl_power_peak_watts", { path: PACKAGE_0.path }) ?? 0) > 0);
      });
    });
    await t.step("one wraps", async () => {
      tree.setEnergy(PACKAGE_0.path, 20_000_000n);
      await pageWith((page) => {
        assertEquals(energyOf(page, PACKAGE_0), 120);
        assertEquals(valueOf(page, "rapl_energy_wraps_total", { path: PACKAGE_0.path }), 1);
      });
    });
    await t.step("one becomes unreadable for the exporter's user", async () => {
      const file = `${tree.root}/${PACKAGE_1.path}/energy_uj`;
      Deno.chmodSync(file, 0o400);
      await pageWith((page) => {
        assertEquals([energyOf(page, PACKAGE_0), energyOf(page, PACKAGE_1)], [120, undefined]);
        assertEquals(valueOf(page, "exporter_source_error", { reason: "permission" }), 1);
        assertEquals(valueOf(page, "rapl_node_power_watts"), undefined);
      });
      assertStringIncludes((await exporter.health()).sources[0]?.reason ?? "", "CAP_DAC_READ_SEARCH");
      tree.setEnergy(PACKAGE_1.path, 7_000_000n);
      Deno.chmodSync(file, 0o444);
      await pageWith((page) => {
        assertEquals(energyOf(page, PACKAGE_1), 7);
        assertEquals(valueOf(page, "rapl_node_energy_joules_total"), 127);
        assertEquals(valueOf(page, "exporter_source_error"), undefined);
      });
    });
    await t.step("its whole folder becomes unreadable", async () => {
      const folder = `${tree.root}/${PACKAGE_1.path}`;
      Deno.chmodSync(folder, 0o700);
      await pageWith((page) => {
        assertEquals([energyOf(page, PACKAGE_0), energyOf(page, PACKAGE_1)], [120, undefined]);
        assertEquals(valueOf(page, "exporter_source_error", { reason: "permission" }), 1);
        assertEquals(valueOf(page, "exporter_source_error", { reason: "gone" }), undefined);
        assertEquals(valueOf(page, "rapl_node_energy_joules_total"), undefined);
      });
      Deno.chmodSync(folder, 0o755);
      await pageWith((page) => assertEquals(energyOf(page, PACKAGE_1), 7));
    });
    await t.step("one is taken away", async () => {
      tree.remove(PACKAGE_1.path);
      await pageWith((page) => {
        assertEquals([energyOf(page, PACKAGE_0), energyOf(page, PACKAGE_1)], [120, undefined]);
        assertEquals(valueOf(page, "rapl_zones_discovered"), 1);
        assertEquals(valueOf(page, "exporter_source_error", { reason: "gone" }), 1);
      });
    });
    await t.step("it stops on SIGTERM", async () => {
      exporter.kill("SIGTERM");
      assertEquals(await exporter.exitCode, 0);
    });
  },
});

Deno.test({
  name: "the exporter reports that every counter is root's alone, and reads them as root",
  ...needsPrivateMachine(),
  fn: async () => {
    using tree = publicTree();
    for (const { path } of [PACKAGE_0, PACKAGE_1]) Deno.chmodSync(`${tree.root}/${path}/energy_uj`, 0o400);
    {
      await using exporter = await startPrivately();
      await exporter.mountPowercap(tree.root);
      await eventually(async () => {
        const [source] = (await exporter.health()).sources;
        assertStringIncludes(source?.reason ?? "", "Cannot read any of the 2 zones");
        assertEquals(source?.up, false);
      });
      const page = await exporter.curl("/metrics");
      assertEquals([valueOf(page, "rapl_available"), valueOf(page, "rapl_zones_discovered")], [0, 2]);
      assertEquals(valueOf(page, "rapl_energy_joules_total"), undefined);
    }
    await using exporter = await startPrivately({ user: 0 });
    await exporter.mountPowercap(tree.root);
    await eventually(async () => assertEquals(valueOf(await exporter.curl("/metrics"), "rapl_available"), 1));
  },
});

Deno.test({
  name: "the exporter cannot read, connect, write, run or load anything once it serves",
  ...needsPrivateMachine(),
  fn: async () => {
    using tree = publicTree();
    await using exporter = await startPrivately({ script: "tests/support/cpu_escape.ts", user: 0 });
    await exporter.mountPowercap(tree.root);
    await eventually(async () => assertEquals(valueOf(await exporter.curl("/metrics"), "rapl_available"), 1));
    const results: Record<string, string> = JSON.parse(await exporter.curl("/attempts"));
    for (const [name, result] of Object.entries(results)) {
      assertMatch(result, /: Requires \w+ access|^Error: permission denied$/, `${name}: ${result}`);
    }
    assertEquals(valueOf(await exporter.curl("/metrics"), "rapl_available"), 1);
  },
});

Deno.test("the exporter reads its tree, listens, reads its port variable and uses no other permission", async () => {
  using tree = publicTree();
  using audit = new Audit();
  const permissions = testPermissions("cpu").map((flag) => flag.replace("/run/powercap", tree.root));
  {
    await using exporter = await startExporter("cpu", {
      permissions,
      args: [`--powercap=${tree.root}`, "--interval=100ms"],
      env: audit.env,
    });
    for (const path of ["/metrics", "/health", "/", "/page.css", "/nowhere"]) {
      await (await fetch(`${exporter.url}${path}`)).body?.cancel();
    }
    tree.remove(PACKAGE_1.path);
    await eventually(async () => assertEquals(valueOf(await exporter.metrics(), "rapl_zones_discovered"), 1));
    exporter.kill("SIGTERM");
    assertEquals(await exporter.exitCode, 0);
  }
  const kinds = new Set(
    audit.uses().map(({ permission, value }) =>
      permission === "read" && `${value}/`.startsWith(`${tree.root}/`)
        ? "read the tree"
        : `${permission} ${value}`
    ),
  );
  assertEquals([...kinds].sort(), ["env CPU_EXPORTER_PORT", "net 0.0.0.0:0", "read the tree"]);
});

Deno.test("the exporter refuses flags that make no sense, by name", async (t) => {
  for (
    const [flag, expected] of [
      ["--interval=1ms", "100ms"],
      ["--interval=2m", "1m"],
      ["--interval=fast", "500ms"],
      ["--powercap=", "value is missing"],
    ] as const
  ) {
    await t.step(flag, async () => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", ...packageFlags("tests"), ...testPermissions("cpu"), "exporters/cpu/main.ts", flag],
        cwd: ROOT,
      }).output();
      assertEquals(code, 2);
      assertStringIncludes(new TextDecoder().decode(stderr), expected);
    });
  }
});
