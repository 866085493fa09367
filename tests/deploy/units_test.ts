import { assertEquals, assertStringIncludes } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { denoFlags } from "../../lib/command_line.ts";
import { ROOT } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";

const ROWS = Object.entries(CATALOG) as [ExporterName, typeof CATALOG[ExporterName]][];

/**
 * Points of `systemd-analyze security` that each unit has at most, times ten, alone and with the drop-ins that
 * scripts/install adds where a machine can do with them; systemd/README.md gives the reason for each that is left.
 */
const MOST_EXPOSURE: Readonly<Record<string, readonly [alone: number, tightened: number]>> = {
  cpu: [15, 11],
  gpu: [14, 12],
  ffmpeg: [12, 11],
  docker: [12, 11],
};

function dropIns(name: ExporterName): readonly string[] {
  return name === "cpu" ? ["rapl-group", "private-users"] : ["private-users"];
}

function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}${path}`);
}

/** Values of a setting in a unit, without the empty ones that reset it. */
function settings(unit: string, name: string): string[] {
  return Array.from(
    unit.replaceAll("\\\n", "").matchAll(new RegExp(`^${name}=(.+)$`, "gm")),
    ([, value = ""]) => value.replace(/\s+/g, " "),
  );
}

async function output(command: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd: ROOT }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

async function assertExposure(unit: string, most: number): Promise<void> {
  const { code, text } = await output(
    "systemd-analyze",
    "security",
    "--offline=true",
    `--threshold=${most}`,
    unit,
  );
  assertEquals(code, 0, text);
}

for (const [name, { artifact, port }] of ROWS) {
  const argsVariable = `${artifact.toUpperCase().replaceAll("-", "_")}_ARGS`;

  Deno.test(`${artifact}.service runs the compiled program with its arguments of the environment file`, () => {
    const unit = read(`systemd/${artifact}.service`);
    assertEquals(settings(unit, "ExecStart"), [`/usr/local/bin/${artifact} $${argsVariable}`]);
    assertStringIncludes(read("systemd/worker-exporters.env"), `\n${argsVariable}=`);
  });

  Deno.test(`${artifact}.service run by Deno has the permissions of the task`, () => {
    assertEquals(settings(read(`systemd/deno-run/${artifact}.conf`), "ExecStart"), [
      [
        "/usr/local/bin/deno run --no-config --no-lock --no-remote",
        ...denoFlags(CATALOG[name]),
        `/usr/local/lib/worker-exporters/${artifact}.js $${argsVariable}`,
      ].join(" "),
    ]);
  });

  Deno.test(`the installer knows ${artifact} and its port`, () => {
    const script = read("scripts/machine.sh");
    assertStringIncludes(script, `[${name}]=${artifact}`);
    assertStringIncludes(script, `[${name}]=${port}`);
  });

  Deno.test({
    name: `${artifact}.service is correct and as tight as promised`,
    ...needs("systemd-analyze"),
    fn: async () => {
      // It also checks that the programs are there.
      const folder = await Deno.makeTempDir();
      try {
        const program = `${folder}/${artifact}`;
        await Deno.writeTextFile(program, "", { mode: 0o755 });
        const unit = read(`systemd/${artifact}.service`).replaceAll(`/usr/local/bin/${artifact}`, program);
        await Deno.writeTextFile(`${program}.service`, unit);
        await Deno.copyFile(`${ROOT}systemd/worker-exporters.target`, `${folder}/worker-exporters.target`);
        assertEquals(await output("systemd-analyze", "verify", `${program}.service`), { code: 0, text: "" });
        const [alone, tightened] = MOST_EXPOSURE[name] ?? [15, 15];
        await assertExposure(`${program}.service`, alone);
        const added = dropIns(name).map((dropIn) => read(`systemd/drop-ins/${dropIn}.conf`));
        await Deno.writeTextFile(`${program}.service`, [unit, ...added].join("\n"));
        await assertExposure(`${program}.service`, tightened);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

Deno.test("the units differ only in what they see, who they are and what they may open", () => {
  const own =
    /^(Description|After|EnvironmentFile|ExecStart|ExecPaths|SupplementaryGroups|CapabilityBoundingSet|AmbientCapabilities|BindReadOnlyPaths|InaccessiblePaths|Device\w+|PrivateDevices|ProcSubset|RestrictAddressFamilies)=/;
  const [first, ...others] = ROWS.map(([, { artifact }]) =>
    read(`systemd/${artifact}.service`).split("\n").filter((line) => /^\w+=/.test(line) && !own.test(line))
  );
  for (const other of others) assertEquals(other, first);
});
