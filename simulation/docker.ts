/**
 * The docker exporter on a simulated engine, for a demonstration without Docker: a few transcoding jobs that
 * come and go, one that runs out of memory, one that is unhealthy.
 *
 * Takes the exporter's own flags.
 *
 * @module
 */
import { PROGRAM } from "../exporters/docker/main.ts";
import { runExporter } from "../lib/exporter.ts";
import type { Exporter } from "../lib/program.ts";
import { type SimulatedContainer, simulatedContainer } from "./simulated_container.ts";
import { SimulatedEngine } from "./simulated_engine.ts";

/** How long a simulated job runs, in milliseconds. */
const JOB_MS = 45_000;
const MIB = 1024 ** 2;

async function main(): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "docker-demo-" });
  const socketPath = `${folder}/docker.sock`;
  await using engine = new SimulatedEngine({ socketPath, cgroup: 2, apiVersion: "1.51" });
  addServices(engine);
  engine.listen();
  const jobs = setInterval(() => nextJob(engine), JOB_MS / 3);
  nextJob(engine);
  const start: typeof PROGRAM.start = async (options, context): Promise<Exporter> => {
    const exporter = await PROGRAM.start(options, context);
    // The exporter revokes all that it does not name here. The folder is to be removed at the end, and
    // dockerode's HTTP client reads the environment when it first connects: the task has --ignore-env for that.
    const needed = [{ name: "write", path: folder }, { name: "env" }] as const;
    return { ...exporter, keep: [...exporter.keep ?? [], ...needed] };
  };
  try {
    return await runExporter({ ...PROGRAM, start }, [
      `--docker-host=unix://${socketPath}`,
      "--interval=2s",
      ...Deno.args,
    ], { simulated: "an engine with transcoding jobs that come and go" });
  } finally {
    clearInterval(jobs);
    await engine.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function addServices(engine: SimulatedEngine): void {
  const startedMs = Date.now() - 3_600_000;
  const compose = (service: string): Record<string, string> => ({
    "com.docker.compose.project": "worker",
    "com.docker.compose.service": service,
  });
  engine.add(
    simulatedContainer(0, {
      name: "vmagent",
      image: "vmagent:1",
      labels: compose("vmagent"),
      startedMs,
      cores: 0.04,
      unrest: 0.5,
      health: "healthy",
    }),
    simulatedContainer(1, {
      name: "packager",
      image: "packager:2",
      labels: compose("packager"),
      startedMs,
      cores: 0.4,
      unrest: 0.8,
      memoryBytes: 300 * MIB,
      memoryLimitBytes: 512 * MIB,
      cpuLimit: 0.5,
      health: "unhealthy",
      restarts: 3,
    }),
    simulatedContainer(2, {
      name: "thumbnailer",
      labels: compose("thumbnailer"),
      state: "exited",
      exitCode: 137,
      isOomKilled: true,
      startedMs,
      finishedMs: startedMs + 60_000,
    }),
  );
}

let jobCount = 0;

/** Starts a job, and ends it when its time is over: every fourth one out of memory. */
function nextJob(engine: SimulatedEngine): void {
  const number = ++jobCount;
  const job = simulatedContainer(99 + number, {
    name: `transcode-${number}`,
    labels: { "transcode.job_id": `job-${number}` },
    startedMs: Date.now(),
    cores: 2.4,
    unrest: 0.7,
    memoryBytes: 700 * MIB,
    memoryLimitBytes: 1024 * MIB,
    memoryReservationBytes: 512 * MIB,
    pidsLimit: 200,
    networks: { eth0: { receiveBytesPerSecond: 900_000, transmitBytesPerSecond: 250_000 } },
    readBytesPerSecond: 2_000_000,
    writeBytesPerSecond: 500_000,
    pids: 19,
  });
  engine.add(job);
  for (const action of ["create", "start"]) engine.emit(job, action);
  const timer = setTimeout(() => endJob(engine, job, number % 4 === 0), JOB_MS);
  Deno.unrefTimer(timer);
}

function endJob(engine: SimulatedEngine, job: SimulatedContainer, isOutOfMemory: boolean): void {
  if (isOutOfMemory) engine.emit(job, "oom");
  engine.emit(job, "die", { exitCode: isOutOfMemory ? "137" : "0" });
  engine.emit(job, "destroy");
  engine.containers.delete(job.id);
}

if (import.meta.main) Deno.exit(await main());
