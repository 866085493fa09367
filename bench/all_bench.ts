/**
 * All four exporters at once on simulated sources, as a worker runs them: what each costs, and all together.
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
import { exporterCommand } from "../scripts/start.ts";
import { NvmlStub, readScript } from "../tests/support/nvml_stub.ts";
import {
  compareUnderLoad,
  type Findings,
  idlePercents,
  type Row,
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
const BARE_PORT = 19_500;
const BARE_PAGE_BYTES = 10_000;

/** Measures. Needs wrk and cc. */
export async function bench(): Promise<Findings> {
  const root = await Deno.makeTempDir({ prefix: "bench-all-" });
  await using resources = new AsyncDisposableStack();
  resources.defer(() => Deno.remove(root, { recursive: true }));
  const commands: TargetCommand[] = [{
    name: "bare Deno.serve",
    command: Deno.execPath(),
    args: [
      "run",
      "--no-prompt",
      `--allow-net=0.0.0.0:${BARE_PORT}`,
      "bench/bare_server.ts",
      `${BARE_PORT}`,
      `${BARE_PAGE_BYTES}`,
    ],
    url: `http://127.0.0.1:${BARE_PORT}/metrics`,
  }];
  const args = await simulateSources(root, resources);
  for (const [name, flags] of Object.entries(args)) commands.push(targetOf(name as ExporterName, flags));
  const targets: Target[] = [];
  resources.defer(async () => {
    for (const target of targets) await stopTarget(target);
  });
  for (const command of commands) targets.push(await startTarget(command));
  const idle = await idlePercents(targets);
  const rows = await compareUnderLoad(targets);
  for (const { name } of targets) rows[name] = { ...rows[name], idle_cpu_percent: idle[name] ?? NaN };
  return {
    versions: { deno: Deno.version.deno, wrk: await versionOf("wrk", "--version") },
    rows: { ...rows, "all four": sumOf(Object.keys(args).map((name) => rows[name] ?? {})) },
    notes: [
      `The bare server answers ${BARE_PAGE_BYTES} bytes from memory`,
      `${JOBS} jobs report twice a second, ${CONTAINERS} containers are read every 5 seconds, RAPL every second`,
    ],
  };
}

/** What of the exporters adds up. */
function sumOf(rows: readonly Row[]): Row {
  const names = [
    "resident_mb",
    "proportional_mb",
    "anonymous_mb",
    "anonymous_after_load_mb",
    "idle_cpu_percent",
  ];
  return Object.fromEntries(
    names.map((name) => [name, rows.reduce((sum, row) => sum + (row[name] ?? NaN), 0)]),
  );
}

function targetOf(name: ExporterName, sourceArgs: readonly string[]): TargetCommand {
  const port = CATALOG[name].port + PORT_OFFSET;
  return {
    ...exporterCommand(name, [...sourceArgs, `--port=${port}`]),
    url: `http://127.0.0.1:${port}/metrics`,
  };
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
