/**
 * The cpu exporter beside bare `Deno.serve` and Debian's node_exporter, all with the same eight zones.
 *
 * @module
 */
import { SimulatedMachine } from "../simulation/powercap_machine.ts";
import { exporterCommand } from "../scripts/start.ts";
import {
  compareUnderLoad,
  type Findings,
  idlePercents,
  type Row,
  sleep,
  startTarget,
  stopTarget,
  type Target,
  type TargetCommand,
  versionOf,
} from "./harness.ts";

const PORTS = { bare: 19511, exporter: 19510, node: 19512 };
const STARTS = 7;

/** Gives node_exporter the flat folder of links that /sys/class/powercap is. */
async function linkClassFolder(tree: string, sysfs: string): Promise<void> {
  const folder = `${sysfs}/class/powercap`;
  await Deno.mkdir(folder, { recursive: true });
  const visit = async (path: string): Promise<void> => {
    for await (const entry of Deno.readDir(path)) {
      if (!entry.isDirectory) continue;
      const child = `${path}/${entry.name}`;
      if (/^intel-rapl(?:-mmio)?:/.test(entry.name)) await Deno.symlink(child, `${folder}/${entry.name}`);
      await visit(child);
    }
  };
  await visit(tree);
}

/** Median time from spawning a target to its first answer, in milliseconds. */
async function medianStartMs(command: TargetCommand): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < STARTS; index++) {
    const target = await startTarget(command);
    times.push(target.startMs);
    await stopTarget(target);
  }
  return times.toSorted((left, right) => left - right)[STARTS >> 1] ?? NaN;
}

/** Measures. Needs wrk and prometheus-node-exporter. */
export async function bench(): Promise<Findings> {
  const root = await Deno.makeTempDir({ prefix: "bench-cpu-" });
  const tree = `${root}/powercap`;
  const sysfs = `${root}/sys`;
  await Deno.mkdir(tree);
  using machine = new SimulatedMachine(tree);
  machine.advance(1);
  await linkClassFolder(tree, sysfs);
  const timer = setInterval(() => machine.advance(0.5), 500);
  const exporter: TargetCommand = {
    ...exporterCommand("cpu", [`--powercap=${tree}`, `--port=${PORTS.exporter}`]),
    name: "cpu exporter",
    url: `http://127.0.0.1:${PORTS.exporter}/metrics`,
  };
  const size = await pageSize(exporter);
  const bare: TargetCommand = {
    name: "bare Deno.serve",
    command: Deno.execPath(),
    args: [
      "run",
      "--no-prompt",
      `--allow-net=0.0.0.0:${PORTS.bare}`,
      "bench/bare_server.ts",
      String(PORTS.bare),
      String(size),
    ],
    url: `http://127.0.0.1:${PORTS.bare}/metrics`,
  };
  const node: TargetCommand = {
    name: "node_exporter --collector.rapl",
    command: "prometheus-node-exporter",
    args: [
      "--collector.disable-defaults",
      "--collector.rapl",
      "--web.disable-exporter-metrics",
      `--path.sysfs=${sysfs}`,
      `--web.listen-address=127.0.0.1:${PORTS.node}`,
    ],
    url: `http://127.0.0.1:${PORTS.node}/metrics`,
  };
  const commands = [bare, exporter, node];
  const targets: Target[] = [];
  try {
    for (const command of commands) targets.push(await startTarget(command));
    const idle = await idlePercents(targets);
    const rows: Record<string, Row> = await compareUnderLoad(targets);
    for (const target of targets.splice(0)) await stopTarget(target);
    for (const command of commands) {
      rows[command.name] = {
        ...rows[command.name],
        idle_cpu_percent: idle[command.name] ?? NaN,
        start_ms: await medianStartMs(command),
      };
    }
    return {
      versions: {
        deno: Deno.version.deno,
        node_exporter: await versionOf("prometheus-node-exporter", "--version"),
        wrk: await versionOf("wrk", "--version"),
      },
      rows,
      notes: [
        `The bare server answers the same ${size} bytes from memory`,
        "Two packages of four zones each, the mmio twin and psys; the exporter samples once a second all the while",
      ],
    };
  } finally {
    for (const target of targets) await stopTarget(target);
    clearInterval(timer);
    await Deno.remove(root, { recursive: true });
  }
}

async function pageSize(command: TargetCommand): Promise<number> {
  const target = await startTarget(command);
  // The first power figures come with the second sample.
  await sleep(2.5);
  const page = await (await fetch(command.url)).arrayBuffer();
  await stopTarget(target);
  return page.byteLength;
}
