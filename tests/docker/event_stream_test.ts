import { assert, assertEquals } from "@std/assert";
import { DockerApi } from "../../exporters/docker/docker_api.ts";
import { EventCounts } from "../../exporters/docker/event_counts.ts";
import { type ContainerEvent, EventStream, parseEvent } from "../../exporters/docker/event_stream.ts";
import { PODMAN_UNSENT_ACTIONS } from "../../exporters/docker/podman.ts";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import { SimulatedEngine } from "../../simulation/simulated_engine.ts";
import { eventually } from "../support/exporter_process.ts";

interface Following extends AsyncDisposable {
  readonly engine: SimulatedEngine;
  readonly events: EventStream;
  readonly seen: ContainerEvent[];
}

/** Follows a simulated engine that listens, unless it is not to yet. */
async function follow(isListening = true): Promise<Following> {
  const folder = await Deno.makeTempDir();
  const socketPath = `${folder}/docker.sock`;
  const engine = new SimulatedEngine({ socketPath });
  if (isListening) engine.listen();
  const api = new DockerApi({
    host: { name: `unix://${socketPath}`, socketPath },
    timeoutMs: 2000,
    concurrency: 4,
  });
  const seen: ContainerEvent[] = [];
  const events = new EventStream({ api, onEvent: (event) => seen.push(event), onConnect: () => {} });
  const stopping = new AbortController();
  const following = events.follow(stopping.signal);
  return {
    engine,
    events,
    seen,
    async [Symbol.asyncDispose](): Promise<void> {
      stopping.abort();
      api.close();
      await following;
      await engine.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function actions(seen: readonly ContainerEvent[]): string[] {
  return seen.map(({ action }) => action);
}

Deno.test("EventStream reports events as they come", async () => {
  await using following = await follow();
  const { engine, events, seen } = following;
  const job = simulatedContainer(0, { name: "job" });
  await eventually(() => assert(events.isConnected && engine.listenerCount === 1));
  engine.emit(job, "start");
  engine.emit(job, "exec_start: /bin/check");
  engine.emit(job, "health_status: unhealthy");
  engine.emit(job, "die", { exitCode: "3" });
  await eventually(() => assertEquals(actions(seen), ["start", "health_status", "die"]));
  assertEquals(
    seen[2],
    { ...seen[2], id: job.id, name: "job", action: "die", exitCode: "3" } as ContainerEvent,
  );
});

Deno.test("EventStream resumes after a cut: nothing is lost, nothing reported twice", async () => {
  await using following = await follow();
  const { engine, events, seen } = following;
  const job = simulatedContainer(0);
  await eventually(() => assertEquals(engine.listenerCount, 1));
  engine.emit(job, "start");
  await eventually(() => assertEquals(seen.length, 1));
  engine.cutEvents();
  for (const action of ["oom", "die", "destroy"]) engine.emit(job, action);
  await eventually(() => assertEquals(actions(seen), ["start", "oom", "die", "destroy"]));
  for (let cut = 0; cut < 3; cut++) {
    await eventually(() => assertEquals(engine.listenerCount, 1));
    engine.cutEvents();
    engine.emit(job, `start`);
  }
  await eventually(() => assertEquals(seen.length, 7));
  await eventually(() => assertEquals(engine.listenerCount, 1));
  assertEquals(actions(seen).filter((action) => action === "oom").length, 1);
  assertEquals(events.reconnects, 4);
});

Deno.test("EventStream misses nothing of an engine that comes up later", async () => {
  await using following = await follow(false);
  const { engine, events, seen } = following;
  await eventually(() => assertEquals(events.problem?.reason, "missing"));
  engine.emit(simulatedContainer(0), "start");
  engine.listen();
  await eventually(() => assertEquals(actions(seen), ["start"]));
  assert(events.isConnected);
});

Deno.test("EventStream goes on after answers that are none", async () => {
  await using following = await follow();
  const { engine, events, seen } = following;
  await eventually(() => assertEquals(engine.listenerCount, 1));
  engine.fault = () => "nonsense";
  engine.cutEvents();
  await eventually(() => assert(!events.isConnected && events.problem));
  engine.fault = () => "cut";
  await eventually(() => assert(engine.requests.length > 3));
  engine.fault = () => undefined;
  engine.emit(simulatedContainer(0), "die");
  await eventually(() => assertEquals(actions(seen), ["die"]));
});

Deno.test("parseEvent() keeps every digit of the time", () => {
  const line = JSON.stringify({
    Type: "container",
    Action: "die",
    Actor: { ID: "a", Attributes: { name: "x" } },
  });
  assertEquals(
    parseEvent(`${line.slice(0, -1)},"time":1795452588,"timeNano":1795452588030331149}`)?.timeNs,
    1795452588030331149n,
  );
  assertEquals(parseEvent(""), undefined);
  assertEquals(parseEvent("<html>"), undefined);
  assertEquals(parseEvent('{"Action":"die"}'), undefined);
  assertEquals(parseEvent("[1]"), undefined);
});

function render(counts: EventCounts): string[] {
  return [...counts.snapshot(0).families].flatMap(([metric, values]) =>
    values.map(({ labels, value }) => [metric.name, ...Object.values(labels), value].join(" "))
  );
}

Deno.test("EventCounts keeps a container that is gone for ten minutes, the totals forever", () => {
  let nowMs = 0;
  const counts = new EventCounts(() => nowMs);
  const event = { id: "abcdef0123456789", name: "job", exitCode: undefined };
  counts.add({ ...event, action: "start" });
  counts.add({ ...event, action: "oom" });
  counts.add({ ...event, action: "die", exitCode: "137" });
  counts.setPresent([]);
  nowMs = 599_000;
  counts.setPresent([]);
  const lines = render(counts);
  assert(lines.includes("docker_container_oom_total job abcdef012345 1"));
  assert(lines.includes("docker_container_events_total job abcdef012345 die 1"));
  assert(lines.includes("docker_container_events_total job abcdef012345 restart 0"));
  nowMs = 601_000;
  counts.setPresent([]);
  const later = render(counts);
  assertEquals(later.filter((line) => line.includes("job")), []);
  assert(later.includes("docker_events_total oom 1"));
  assert(later.includes("docker_exits_total 137 1"));
});

Deno.test("EventCounts does not grow with containers that are gone", () => {
  const counts = new EventCounts(() => 0);
  for (let index = 0; index < 5000; index++) {
    counts.add({
      id: String(index).padStart(12, "0"),
      name: `job-${index}`,
      action: "die",
      exitCode: "0",
    });
  }
  // Without a single list: the engine may send events and fail at everything else.
  assertEquals(render(counts).filter((line) => line.startsWith("docker_container_oom_total")).length, 1000);
  counts.setPresent([{ id: "kept", name: "kept" }]);
  assertEquals(render(counts).filter((line) => line.startsWith("docker_container_oom_total")).length, 1001);
});

Deno.test("EventCounts makes no series of an action that no engine has", () => {
  const counts = new EventCounts();
  counts.add({ id: "a", name: "job", action: "x-1", exitCode: undefined });
  assertEquals(render(counts).filter((line) => line.includes("x-1") || line.includes("job")), []);
});

Deno.test("EventCounts shows no 0 for what an engine does not send", () => {
  const counts = new EventCounts();
  counts.setUnsent(PODMAN_UNSENT_ACTIONS);
  counts.setPresent([{ id: "a", name: "job" }]);
  assertEquals(render(counts).filter((line) => /oom|kill|stop/.test(line)), []);
  counts.add({ id: "a", name: "job", action: "kill", exitCode: undefined });
  assert(render(counts).includes("docker_events_total kill 1"));
});

Deno.test("parseEvent() calls Podman's events what Docker calls them", () => {
  for (const [podman, docker] of [["remove", "destroy"], ["died", "die"]]) {
    const line =
      `{"Type":"container","Action":"${podman}","Actor":{"ID":"a"},"timeNano":1795729928975624411}`;
    assertEquals(parseEvent(line)?.action, docker);
  }
});
