/** The docker exporter with many containers, and with many that come and go. What it takes, the soak measures. */
import { assert, assertEquals } from "@std/assert";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import type { SimulatedEngine } from "../../simulation/simulated_engine.ts";
import { eventually } from "../support/exporter_process.ts";
import { startDockerExporter, temporaryEngine } from "../support/simulated_docker.ts";

/** More than a page keeps of containers that are gone. */
const JOBS = 3_000;
const STANDING_CONTAINERS = 50;

function seriesCount(page: string): number {
  return page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
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

Deno.test("docker exporter counts every container that comes and goes, on a page that does not grow", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  for (let index = 0; index < STANDING_CONTAINERS; index++) engine.add(simulatedContainer(index));
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, { args: ["--interval=100ms"] });
  await eventually(() => assertEquals(engine.listenerCount, 1));
  const series: number[] = [];
  for (let index = 0; index < JOBS; index++) {
    nextJob(engine, index);
    // At the exporter's pace, so that it sees lists between them.
    if (index % 100 === 99) series.push(seriesCount(await exporter.metrics()));
  }
  await eventually(async () => {
    const page = await exporter.metrics();
    assert(page.includes(`docker_events_total{action="start"} ${JOBS}\n`));
    assertEquals((await exporter.health()).status, "ok");
  }, 30_000);
  const [middle, last] = [series[Math.floor(series.length / 2)] ?? 0, series.at(-1) ?? 0];
  assert(last < middle * 1.2, `${middle} series grew to ${last}`);
});

Deno.test("docker exporter reads a thousand containers", async () => {
  await using setup = await temporaryEngine({ cgroup: 2, apiVersion: "1.51" });
  const { engine, socketPath } = setup;
  for (let index = 0; index < 1000; index++) engine.add(simulatedContainer(index));
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, { args: ["--interval=1s", "--timeout=30s"] });
  await eventually(async () => {
    const page = await exporter.metrics();
    assertEquals(page.match(/^docker_container_cpu_percent\{/gm)?.length, 1000);
    assert(page.includes('docker_containers{state="running"} 1000\n'));
  }, 60_000);
});
