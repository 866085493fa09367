/** The docker exporter with many containers, and with many that come and go. */
import { assert, assertEquals } from "@std/assert";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import type { SimulatedEngine } from "../../simulation/simulated_engine.ts";
import { eventually } from "../support/exporter_process.ts";
import { startDockerExporter, temporaryEngine } from "../support/simulated_docker.ts";

/** A day of a worker that starts a job every ten seconds, in containers. */
const JOBS_OF_A_DAY = 8_640;
const CHURN_STEP_MS = 25;
const CHURN_JOBS_PER_STEP = 10;
const STANDING_CONTAINERS = 50;
/** What the process may take in the end, compared with what it took after a quarter of the day. */
const MAX_GROWTH = 1.3;

function seriesCount(page: string): number {
  return page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
}

function residentBytes(page: string): number {
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(page)?.[1]);
}

/** A job begins, and the oldest one ends. */
function nextJob(engine: SimulatedEngine, index: number): void {
  const job = simulatedContainer(STANDING_CONTAINERS + index, {
    name: `job-${index}`,
    startedMs: Date.now(),
  });
  engine.add(job);
  for (const action of ["create", "start"]) engine.emit(job, action);
  const old = [...engine.containers.values()][STANDING_CONTAINERS];
  if (!old || engine.containers.size <= STANDING_CONTAINERS + 20) return;
  for (const action of ["die", "destroy"]) engine.emit(old, action, { exitCode: "0" });
  engine.containers.delete(old.id);
}

Deno.test("docker exporter's memory and page stay as they are over a day of containers that come and go", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  for (let index = 0; index < STANDING_CONTAINERS; index++) engine.add(simulatedContainer(index));
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, { args: ["--interval=100ms"] });
  await eventually(() => assertEquals(engine.listenerCount, 1));
  const resident: number[] = [];
  const series: number[] = [];
  for (let index = 0; index < JOBS_OF_A_DAY; index++) {
    nextJob(engine, index);
    if (index % CHURN_JOBS_PER_STEP === 0) await new Promise((resolve) => setTimeout(resolve, CHURN_STEP_MS));
    if (index % 200 !== 199) continue;
    engine.requests.length = 0;
    const page = await exporter.metrics();
    resident.push(residentBytes(page));
    series.push(seriesCount(page));
  }
  const quarter = Math.floor(resident.length / 4);
  const early = Math.max(...resident.slice(quarter, 2 * quarter));
  const late = Math.max(...resident.slice(3 * quarter));
  assert(late < early * MAX_GROWTH, `${Math.round(early / 1e6)} MB grew to ${Math.round(late / 1e6)} MB`);
  assert(Math.max(...series.slice(3 * quarter)) < Math.max(...series.slice(quarter, 2 * quarter)) * 1.2);
  await eventually(async () => {
    const page = await exporter.metrics();
    // Every one of them was counted.
    assert(page.includes(`docker_events_total{action="start"} ${JOBS_OF_A_DAY}\n`));
    assertEquals((await exporter.health()).status, "ok");
  });
});

Deno.test("docker exporter reads a thousand containers", async () => {
  await using setup = await temporaryEngine({ cgroup: 2, apiVersion: "1.51" });
  const { engine, socketPath } = setup;
  for (let index = 0; index < 1000; index++) engine.add(simulatedContainer(index));
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, { args: ["--interval=1s"] });
  await eventually(async () => {
    const page = await exporter.metrics();
    assertEquals(page.match(/^docker_container_cpu_percent\{/gm)?.length, 1000);
    assert(page.includes('docker_containers{state="running"} 1000\n'));
  }, 30_000);
});
