/**
 * The docker exporter beside `docker stats --no-stream`: one reading of 1, 10 and 100 containers of a real
 * engine, then of simulated ones up to 1,000; and statistics asked for one by one beside the engine's streams.
 *
 * Needs root and Debian's docker.io and busybox-static.
 *
 * @module
 */
import { exporterCommand } from "../scripts/start.ts";
import { DockerEngine } from "../tests/support/docker_engine.ts";
import {
  cpuSeconds,
  type Findings,
  median,
  memory,
  type Row,
  sleep,
  startTarget,
  stopTarget,
  type Target,
  versionOf,
} from "./harness.ts";
import { packageFlags } from "../scripts/package_flags.ts";

const PORT = 19501;
const INTERVAL_SECONDS = 2.5;
/** Some twenty readings, after which the compiler has seen most of what is run. */
const WARM_UP_SECONDS = 50;
const MEASURED_SECONDS = 40;
const CLI_RUNS = 5;
const SCRAPE_SECONDS = 22;

/** A number of the exporter's page. */
async function pageValue(series: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${PORT}/metrics`)).text();
  return Number(page.split("\n").find((line) => line.startsWith(series))?.split(" ").at(-1));
}

function startExporter(socketPath: string, intervalSeconds: number): Promise<Target> {
  return startTarget({
    ...exporterCommand("docker", [
      `--port=${PORT}`,
      `--docker-host=unix://${socketPath}`,
      `--interval=${intervalSeconds * 1000}ms`,
      "--log.level=error",
    ]),
    url: `http://127.0.0.1:${PORT}/health`,
  });
}

/** CPU time in as long as an interval, without a reading. */
async function measureRest(socketPath: string): Promise<Row> {
  const target = await startExporter(socketPath, 3600);
  try {
    await sleep(WARM_UP_SECONDS / 2);
    const cpuBefore = cpuSeconds(target.child.pid);
    await sleep(MEASURED_SECONDS);
    const cpuMs = (cpuSeconds(target.child.pid) - cpuBefore) * 1000;
    return { cpu_ms: cpuMs * INTERVAL_SECONDS / MEASURED_SECONDS };
  } finally {
    await stopTarget(target);
  }
}

/** What a reading costs the exporter and, where its processes are given, the engine. */
async function measureExporter(socketPath: string, engineSeconds?: () => number): Promise<Row> {
  const target = await startExporter(socketPath, INTERVAL_SECONDS);
  try {
    const { pid } = target.child;
    const readings = (): Promise<number> => pageValue('docker_api_duration_seconds_count{endpoint="list"}');
    await sleep(WARM_UP_SECONDS);
    const countBefore = await readings();
    const [cpuBefore, engineBefore] = [cpuSeconds(pid), engineSeconds?.() ?? NaN];
    await sleep(MEASURED_SECONDS);
    const count = await readings() - countBefore;
    const cpuMs = (cpuSeconds(pid) - cpuBefore) * 1000 / count;
    const engineMs = ((engineSeconds?.() ?? NaN) - engineBefore) * 1000 / count;
    return {
      cpu_ms: cpuMs,
      ...(engineSeconds ? { engine_cpu_ms: engineMs } : {}),
      ...await measureScrapes(),
      resident_mb: memory(pid)["resident_mb"] ?? NaN,
      anonymous_mb: memory(pid)["anonymous_mb"] ?? NaN,
    };
  } finally {
    await stopTarget(target);
  }
}

/** How long readings take, and meanwhile the metrics page, asked for ten times a second. */
async function measureScrapes(): Promise<Row> {
  const times: number[] = [];
  const walls: number[] = [];
  const endMs = performance.now() + SCRAPE_SECONDS * 1000;
  while (performance.now() < endMs) {
    const startedMs = performance.now();
    const page = await (await fetch(`http://127.0.0.1:${PORT}/metrics`)).text();
    times.push(performance.now() - startedMs);
    walls.push(
      Number(/^exporter_collect_duration_seconds\{source="docker"\} (\S+)$/m.exec(page)?.[1]) * 1000,
    );
    await sleep(0.1);
  }
  times.sort((left, right) => left - right);
  return {
    wall_ms: median(walls),
    scrape_p50_ms: median(times),
    scrape_p99_ms: times[Math.ceil(times.length * 0.99) - 1] ?? NaN,
  };
}

/** What `docker stats --no-stream` costs. */
async function measureCli(socketPath: string, engineSeconds: () => number): Promise<Row> {
  const rounds: Row[] = [];
  for (let run = 0; run < CLI_RUNS; run++) {
    const [startedMs, engineBefore] = [performance.now(), engineSeconds()];
    const { stdout } = await new Deno.Command("bash", {
      args: ["-c", 'docker --host "unix://$0" stats --no-stream >/dev/null; times', socketPath],
    }).output();
    const wall = performance.now() - startedMs;
    // The second line is that of the children: "0m0.045s 0m0.021s".
    const times = new TextDecoder().decode(stdout).trim().split("\n").at(-1) ?? "";
    const cpu = Array.from(
      times.matchAll(/(\d+)m([\d.]+)s/g),
      ([, minutes, seconds]) => Number(minutes) * 60_000 + Number(seconds) * 1000,
    ).reduce((sum, each) => sum + each, 0);
    rounds.push({ wall_ms: wall, cpu_ms: cpu, engine_cpu_ms: (engineSeconds() - engineBefore) * 1000 });
    await sleep(2);
  }
  const of = (name: string): number => median(rounds.map((row) => row[name] ?? NaN));
  return { wall_ms: of("wall_ms"), cpu_ms: of("cpu_ms"), engine_cpu_ms: of("engine_cpu_ms") };
}

/** CPU time per minute of reading by one-shot requests or streams. */
async function measureTransport(
  socketPath: string,
  way: "one-shot" | "streams",
  engineSeconds: () => number,
): Promise<Row> {
  const seconds = 30;
  const engineBefore = engineSeconds();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...packageFlags("tests"),
      "-A",
      "bench/docker_transport.ts",
      socketPath,
      way,
      String(seconds),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  await sleep(5);
  const cpuBefore = cpuSeconds(child.pid);
  await sleep(seconds - 8);
  const clientMs = (cpuSeconds(child.pid) - cpuBefore) * 1000;
  const { stdout } = await child.output();
  const { samples } = JSON.parse(new TextDecoder().decode(stdout));
  const perMinute = 60 / (seconds - 8);
  return {
    client_cpu_ms_per_minute: clientMs * perMinute,
    engine_cpu_ms_per_minute: (engineSeconds() - engineBefore) * 1000 * 60 / seconds,
    samples_per_minute: samples * 60 / seconds,
  };
}

async function startContainers(engine: DockerEngine, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    // A little work each, or there would be nothing to read.
    await engine.run(`job-${index}`, "while :; do sleep 5; done");
  }
}

async function measureSimulated(containers: number): Promise<Row> {
  const folder = await Deno.makeTempDir({ prefix: "bench-docker-" });
  const socketPath = `${folder}/docker.sock`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...packageFlags("tests"),
      "-A",
      "bench/docker_simulation.ts",
      socketPath,
      String(containers),
    ],
  }).spawn();
  try {
    await sleep(2);
    return await measureExporter(socketPath);
  } finally {
    child.kill();
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

/** Measures. */
export async function bench(): Promise<Findings> {
  const rows: Record<string, Row> = {};
  {
    await using engine = await DockerEngine.start();
    const engineSeconds = (): number => engine.cpuSeconds();
    let running = 0;
    for (const containers of [1, 10, 100]) {
      await startContainers(engine, running, containers);
      running = containers;
      rows[`docker stats, ${containers}`] = await measureCli(engine.socketPath, engineSeconds);
      rows[`exporter, ${containers}`] = await measureExporter(engine.socketPath, engineSeconds);
    }
    rows[`exporter at rest, ${running}`] = await measureRest(engine.socketPath);
    for (const way of ["one-shot", "streams"] as const) {
      rows[`${way}, ${running}`] = await measureTransport(engine.socketPath, way, engineSeconds);
    }
  }
  for (const containers of [100, 1000]) {
    rows[`exporter, ${containers} simulated`] = await measureSimulated(containers);
  }
  return {
    versions: {
      deno: Deno.version.deno,
      docker: await versionOf("docker", "--version"),
      dockerd: await versionOf("dockerd", "--version"),
    },
    rows,
    notes: [
      "Each figure is for one reading of all containers; the engine's CPU time includes containerd and its shims",
      "The exporter reads every 2.5 s; its CPU time is that of 40 s after 50 s, all it does meanwhile included; then its page is asked for ten times a second",
      "At rest: what the process uses in 2.5 s without a reading; the rest of its CPU time is that of readings",
      "one-shot asks for every container each 5 s, streams bring a sample of each a second: asking costs less " +
      "from an interval of about 1.5 s on, so the exporter asks",
    ],
  };
}
