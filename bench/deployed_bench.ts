/**
 * What is deployed: the executable as each of the four exporters at once, on simulated sources, with the environment of
 * their units; beside node_exporter and cAdvisor, where they are installed. Sizes of the archive and the package.
 *
 * cpu: two packages of four zones and more; gpu: one busy GPU behind the real dlopen of a stand-in library;
 * ffmpeg: four jobs in a progress folder; docker: ten containers of a simulated engine.
 *
 * @module
 */
import { CATALOG, type ExporterName } from "../exporters/catalog.ts";
import { SimulatedMachine } from "../simulation/powercap_machine.ts";
import { simulatedContainer } from "../simulation/simulated_container.ts";
import { SimulatedEngine } from "../simulation/simulated_engine.ts";
import { compileAll } from "../scripts/compile.ts";
import { ROOT } from "../tests/support/exporter_process.ts";
import { NvmlStub, readScript } from "../tests/support/nvml_stub.ts";
import { isInstalled } from "../tests/support/programs.ts";
import { buildRelease } from "../tests/support/release.ts";
import {
  type Findings,
  idlePercents,
  median,
  memory,
  type Row,
  scrapeAHundredTimes,
  startTarget,
  stopTarget,
  type Target,
  type TargetCommand,
  versionOf,
} from "./harness.ts";

const JOBS = 4;
const CONTAINERS = 10;
/** Added to each exporter's own port, so that a running one is not in the way. */
const PORT_OFFSET = 10_000;
const STARTS = 15;
const FOLDER = "dist/bench";

/** Measures. Needs cc, tar and dpkg-deb, and `DENORT_BIN` where Deno's base binary cannot be downloaded. */
export async function bench(): Promise<Findings> {
  const root = await Deno.makeTempDir({ prefix: "bench-deployed-" });
  await using resources = new AsyncDisposableStack();
  resources.defer(() => Deno.remove(root, { recursive: true }));
  resources.defer(() => Deno.remove(`${ROOT}${FOLDER}`, { recursive: true }));
  const args = await simulateSources(root, resources);
  // The one path that has to be compiled in.
  const executable = await compileAll({ folder: FOLDER, flags: new Map([["docker", args.docker ?? []]]) });
  const commands = (Object.keys(CATALOG) as ExporterName[]).map((name) => targetOf(name, args[name] ?? []));
  const starts: Record<string, Row> = {};
  for (const command of commands) starts[command.name] = await measureStarts(command);
  const targets: Target[] = [];
  resources.defer(async () => {
    for (const target of targets) await stopTarget(target);
  });
  for (const command of [...commands, ...peers()]) targets.push(await startTarget(command));
  for (const target of targets) await scrapeAHundredTimes(target);
  const idle = await idlePercents(targets);
  const rows = Object.fromEntries(targets.map(({ name, child }) => [name, {
    ...memory(child.pid),
    idle_cpu_percent: idle[name] ?? NaN,
    ...starts[name],
  }]));
  return {
    versions: { compiled: await versionOf(`${ROOT}${executable}`, "--version") },
    rows: {
      "all four": {
        ...sumOf(commands.map(({ name }) => rows[name] ?? {})),
        executable_mb: (await Deno.stat(`${ROOT}${executable}`)).size / 1e6,
        ...await releaseSizes(),
      },
      ...rows,
    },
    notes: [
      `Starts: median of ${STARTS}, from the start of the process to the first answered scrape, alone`,
      "Memory: all at once, after a hundred scrapes each and a minute without any",
      `${JOBS} jobs report twice a second, ${CONTAINERS} containers are read every 5 seconds, RAPL every second`,
    ],
  };
}

async function measureStarts(command: TargetCommand): Promise<Row> {
  const startsMs: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    const target = await startTarget(command);
    startsMs.push(target.startMs);
    await stopTarget(target);
  }
  return { start_ms: median(startsMs), slowest_start_ms: Math.max(...startsMs) };
}

/** Archive and package, and what the package takes on disk. */
async function releaseSizes(): Promise<Row> {
  await buildRelease();
  const sizes: Row = {};
  for (const { name } of Deno.readDirSync(`${ROOT}dist`)) {
    const { size } = Deno.statSync(`${ROOT}dist/${name}`);
    if (/^worker-exporters-.*\.tar\.gz$/.test(name)) sizes.archive_mb = size / 1e6;
    if (!/^worker-exporters_.*\.deb$/.test(name)) continue;
    sizes.package_mb = size / 1e6;
    sizes.installed_mb =
      Number(await versionOf("dpkg-deb", "--field", `${ROOT}dist/${name}`, "Installed-Size")) * 1024 / 1e6;
  }
  return sizes;
}

/** What adds up. */
function sumOf(rows: readonly Row[]): Row {
  const names = ["resident_mb", "proportional_mb", "anonymous_mb", "idle_cpu_percent"];
  return Object.fromEntries(
    names.map((name) => [name, rows.reduce((sum, row) => sum + (row[name] ?? NaN), 0)]),
  );
}

function targetOf(name: ExporterName, sourceArgs: readonly string[]): TargetCommand {
  const { port, artifact } = CATALOG[name];
  return {
    name,
    command: `${ROOT}${FOLDER}/${artifact}`,
    args: [...sourceArgs, `--port=${port + PORT_OFFSET}`],
    url: `http://127.0.0.1:${port + PORT_OFFSET}/metrics`,
    env: unitEnvironment(artifact),
  };
}

/** The variables that an exporter's unit sets. */
function unitEnvironment(artifact: string): Record<string, string> {
  const unit = Deno.readTextFileSync(`${ROOT}systemd/${artifact}.service`);
  const [, variables = ""] = /^Environment=(.*)$/m.exec(unit) ?? [];
  return Object.fromEntries(variables.split(" ").map((variable) => variable.split("=", 2)));
}

/** What others run on such a machine. */
function peers(): TargetCommand[] {
  const [nodePort, cadvisorPort] = [19_100, 19_180];
  return [
    {
      name: "node_exporter",
      command: "prometheus-node-exporter",
      args: [`--web.listen-address=127.0.0.1:${nodePort}`],
      url: `http://127.0.0.1:${nodePort}/metrics`,
    },
    {
      name: "cAdvisor",
      command: "cadvisor",
      args: ["--listen_ip=127.0.0.1", `--port=${cadvisorPort}`],
      url: `http://127.0.0.1:${cadvisorPort}/metrics`,
    },
  ].filter(({ command }) => isInstalled(command));
}

/** Starts the sources, to be ended with `resources`, and returns each exporter's flags for its own. */
async function simulateSources(
  root: string,
  resources: AsyncDisposableStack,
): Promise<Partial<Record<ExporterName, readonly string[]>>> {
  const [tree, progress] = [`${root}/powercap`, `${root}/progress`];
  await Promise.all([tree, progress].map((folder) => Deno.mkdir(folder)));
  const machine = resources.use(new SimulatedMachine(tree));
  machine.advance(1);
  const stub = resources.use(await NvmlStub.create(await readScript("busy")));
  const engine = resources.use(new SimulatedEngine({ socketPath: `${root}/docker.sock`, cgroup: 2 }));
  for (let index = 0; index < CONTAINERS; index++) {
    engine.add(simulatedContainer(index, { name: `container-${index}`, startedMs: Date.now(), cores: 0.5 }));
  }
  engine.listen();
  let frames = 0;
  const timer = setInterval(() => {
    machine.advance(0.5);
    frames += 25;
    for (let job = 0; job < JOBS; job++) {
      const block = `frame=${frames}\nfps=50.0\nbitrate=2000.0kbits/s\ntotal_size=${frames * 5000}\n` +
        `out_time_us=${frames * 20_000}\ndup_frames=0\ndrop_frames=0\nspeed=1.0x\nprogress=continue\n`;
      Deno.writeTextFileSync(`${progress}/job-${job}`, block, { append: true });
    }
  }, 500);
  resources.defer(() => clearInterval(timer));
  return {
    cpu: [`--powercap=${tree}`],
    gpu: [`--nvml=${stub.path}`],
    ffmpeg: [`--progress-dir=${progress}`],
    docker: [`--docker-host=unix://${root}/docker.sock`],
  };
}
