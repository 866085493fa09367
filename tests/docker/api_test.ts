import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DockerApi } from "../../exporters/docker/docker_api.ts";
import { DockerApiError } from "../../exporters/docker/docker_api_error.ts";
import { hostPermissionFlags, parseDockerHost } from "../../exporters/docker/docker_host.ts";
import { EngineReader } from "../../exporters/docker/engine_reader.ts";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import {
  type Fault,
  SimulatedEngine,
  type SimulatedEngineOptions,
} from "../../simulation/simulated_engine.ts";
import { assertQuick } from "../support/assert_quick.ts";

interface Setup extends AsyncDisposable {
  readonly engine: SimulatedEngine;
  readonly api: DockerApi;
  readonly reader: EngineReader;
}

/** A simulated engine with containers, an API on it and a reader on that. */
async function setUp(
  containerCount: number,
  options: Partial<SimulatedEngineOptions> & { timeoutMs?: number; concurrency?: number } = {},
): Promise<Setup> {
  const { timeoutMs = 1000, concurrency = 10 } = options;
  const folder = await Deno.makeTempDir();
  const socketPath = `${folder}/docker.sock`;
  const engine = new SimulatedEngine({ socketPath, ...options });
  for (let index = 0; index < containerCount; index++) engine.add(simulatedContainer(index));
  engine.listen();
  const api = new DockerApi({ host: parseDockerHost(`unix://${socketPath}`), timeoutMs, concurrency });
  const reader = new EngineReader({ api, concurrency, isWanted: () => true, hasEvents: () => true });
  return {
    engine,
    api,
    reader,
    async [Symbol.asyncDispose](): Promise<void> {
      api.close();
      await engine.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("DockerApi speaks the newest version that both sides know", async (t) => {
  const cases = [
    { engine: "1.41", least: "1.12", want: "1.41" },
    { engine: "1.51", least: "1.44", want: "1.51" },
    { engine: "1.52", least: "1.44", want: "1.52" },
    { engine: "1.60", least: "1.44", want: "1.52" },
    { engine: "1.80", least: "1.60", want: "1.60" },
  ];
  for (const { engine, least, want } of cases) {
    await t.step(`${least} to ${engine}`, async () => {
      await using setup = await setUp(1, { apiVersion: engine, minApiVersion: least });
      const { engine: described, containers } = await setup.reader.read();
      assertEquals(described.apiVersion, want);
      assert(containers[0]?.stats);
      assert(setup.engine.requests.some((request) => request.startsWith(`GET /v${want}/containers/`)));
    });
  }
});

Deno.test("DockerApi refuses an engine without one-shot statistics", async () => {
  await using setup = await setUp(1, { apiVersion: "1.40" });
  const error = await assertRejects(() => setup.reader.read(), DockerApiError);
  assertEquals(error.reason, "version");
  assertStringIncludes(error.message, "1.41 (Docker 20.10) or newer");
});

Deno.test("DockerApi knows how far the engine's clock is ahead", async () => {
  for (const aheadMs of [0, 300_000, -300_000]) {
    const folder = await Deno.makeTempDir();
    const socketPath = `${folder}/docker.sock`;
    const server = Deno.serve(
      { path: socketPath, onListen: () => {} },
      () =>
        Response.json({ ApiVersion: "1.41" }, {
          headers: { date: new Date(Date.now() + aheadMs).toUTCString() },
        }),
    );
    const api = new DockerApi({
      host: parseDockerHost(`unix://${socketPath}`),
      timeoutMs: 1000,
      concurrency: 1,
    });
    await api.negotiate();
    const offBy = Math.abs(api.clockOffsetMs - aheadMs);
    assert(aheadMs === 0 ? offBy === 0 : offBy < 5000, `${api.clockOffsetMs} of ${aheadMs}`);
    api.close();
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("DockerApi follows an engine that was replaced by a newer one", async () => {
  await using setup = await setUp(1);
  await setup.reader.read();
  await setup.engine.close();
  const [request = ""] = setup.engine.requests;
  assertEquals(request, "GET /version");
  const socketPath = await socketOf(setup);
  await using newer = new SimulatedEngine({ socketPath, apiVersion: "1.52", minApiVersion: "1.44" });
  newer.add(simulatedContainer(0));
  newer.listen();
  const { engine, containers } = await setup.reader.read();
  assertEquals(engine.apiVersion, "1.52");
  assert(containers[0]?.stats);
});

/** Where the engine of a setup listened, from the error that its absence causes. */
async function socketOf({ api }: Setup): Promise<string> {
  const error = await assertRejects(() => api.negotiate(), DockerApiError);
  return /unix:\/\/([^"]+)/.exec(error.message)?.[1] ?? "";
}

Deno.test("DockerApi makes GET requests only", async () => {
  await using setup = await setUp(3);
  await setup.reader.read();
  const stream = await setup.api.events("0.000000000", ["start"]);
  stream.destroy();
  const { requests } = setup.engine;
  assertEquals(requests.length, 1 + 1 + 3 + 3 + 1);
  assertEquals(requests.filter((request) => !request.startsWith("GET ")), []);
});

const FAULTS: { fault: Fault; reason: string; advice: string }[] = [
  { fault: "hang", reason: "timeout", advice: "no answer within 300 ms" },
  { fault: "cut", reason: "invalid", advice: "breaks off in the middle" },
  { fault: "nonsense", reason: "invalid", advice: "Welcome to nginx" },
  { fault: "error", reason: "refused", advice: "something went wrong" },
  { fault: "forbidden", reason: "refused", advice: "CONTAINERS=1" },
];

for (const { fault, reason, advice } of FAULTS) {
  Deno.test(`EngineReader reports what is wrong when the engine's answer is: ${fault}`, async () => {
    await using setup = await setUp(1, { timeoutMs: 300 });
    setup.engine.fault = () => fault;
    await assertQuick(async () => {
      const startedMs = performance.now();
      const error = await assertRejects(() => setup.reader.read(), DockerApiError);
      assertEquals(error.reason, reason);
      assertStringIncludes(error.message, advice);
      return performance.now() - startedMs;
    }, 1000);
    setup.engine.fault = () => undefined;
    assertEquals((await setup.reader.read()).containers.length, 1);
  });

  Deno.test(`EngineReader reads all others when one container's answer is: ${fault}`, async () => {
    await using setup = await setUp(5);
    const broken = simulatedContainer(2).id;
    setup.engine.fault = (path) => path.includes(broken) && path.endsWith("stats") ? fault : undefined;
    const { containers, problems } = await setup.reader.read();
    assertEquals(containers.map(({ stats }) => stats !== undefined), [true, true, false, true, true]);
    assertEquals(containers[2]?.details?.state, "running");
    assertEquals(problems.length, 1);
    assertStringIncludes(problems[0]?.message ?? "", 'Cannot read 1 of 5 containers, "container-2"');
  });
}

Deno.test("EngineReader reads a container once that the engine lists twice", async () => {
  await using setup = await setUp(2);
  const { api } = setup;
  const list = api.list.bind(api);
  api.list = async () => [...await list(), ...await list()];
  assertEquals((await setup.reader.read()).containers.length, 2);
});

Deno.test("EngineReader leaves a hanging engine alone after as many requests as it makes at once", async () => {
  await using setup = await setUp(30, { concurrency: 4 });
  setup.engine.fault = (path) => path.endsWith("stats") ? "hang" : undefined;
  const { containers, problems } = await setup.reader.read();
  assertEquals(containers.length, 30);
  // Those of the first four that are given up before the fourth begin one more each.
  assert(setup.engine.requests.filter((request) => request.includes("/stats")).length < 8);
  assertEquals(problems.map(({ reason }) => reason), ["timeout"]);
});

Deno.test("EngineReader never has more requests under way than it may", async () => {
  await using setup = await setUp(40, { concurrency: 5 });
  setup.engine.delayMs = () => 5;
  await setup.reader.read();
  assertEquals(setup.engine.mostAtOnce, 5);
});

Deno.test("EngineReader leaves out a container that goes away during the reading", async () => {
  await using setup = await setUp(3);
  const { engine, reader } = setup;
  engine.fault = (path) => {
    if (path.endsWith(`${simulatedContainer(1).id}/json`)) engine.containers.delete(simulatedContainer(1).id);
    return undefined;
  };
  const { containers, problems } = await reader.read();
  assertEquals(containers.map(({ listed }) => listed.name), ["container-0", "container-2"]);
  assertEquals(problems, []);
});

Deno.test("EngineReader looks again at a container that stops during the reading", async () => {
  await using setup = await setUp(1);
  const { engine, reader } = setup;
  engine.fault = (path) => {
    const container = engine.containers.get(simulatedContainer(0).id);
    if (path.endsWith("/stats") && container) {
      Object.assign(container, { state: "exited", exitCode: 9, finishedMs: 1 });
    }
    return undefined;
  };
  const { containers } = await reader.read();
  assertEquals(containers[0]?.details?.state, "exited");
  assertEquals(containers[0]?.details?.exitCode, 9);
  assertEquals(containers[0]?.stats, undefined);
});

Deno.test("EngineReader looks again at a container of Podman that stops during the reading", async () => {
  // Podman 5.8 answers 500, 4.3 nothing.
  for (const fault of ["error", "nonsense"] as const) {
    await using setup = await setUp(2, { engine: "podman" });
    const { engine, reader } = setup;
    engine.fault = (path) => {
      if (!path.endsWith(`${simulatedContainer(0).id}/stats`)) return undefined;
      const container = engine.containers.get(simulatedContainer(0).id);
      if (container) container.state = "exited";
      return fault;
    };
    const { containers, problems } = await reader.read();
    assertEquals(containers.map(({ details }) => details?.state), ["exited", "running"]);
    assertEquals(problems, []);
  }
});

Deno.test("EngineReader asks Podman, which answers at once, for little at a time, and wakes nobody", async () => {
  for (const [engine, atOnce, wakeUps] of [["docker", 40, 1], ["podman", 16, 0]] as const) {
    await using setup = await setUp(40, { engine, concurrency: 100 });
    const reader = new EngineReader({ api: setup.api, isWanted: () => true, hasEvents: () => true });
    // Long enough for all to arrive before the first is answered.
    setup.engine.delayMs = () => 200;
    await reader.read();
    assertEquals(setup.engine.mostAtOnce, atOnce, engine);
    setup.engine.requests.length = 0;
    reader.wake();
    await setup.api.list();
    const stats = setup.engine.requests.filter((request) => request.includes("/stats"));
    assertEquals(stats.length, wakeUps, engine);
  }
});

Deno.test("EngineReader inspects again only what has changed", async () => {
  await using setup = await setUp(4);
  const { engine, reader } = setup;
  const inspections = async (): Promise<number> => {
    engine.requests.length = 0;
    await reader.read();
    return engine.requests.filter((request) => /\/containers\/[^/]+\/json/.test(request)).length;
  };
  assertEquals(await inspections(), 4);
  assertEquals(await inspections(), 0);
  reader.invalidate(simulatedContainer(2).id);
  assertEquals(await inspections(), 1);
  const container = engine.containers.get(simulatedContainer(0).id);
  if (container) container.state = "paused";
  assertEquals(await inspections(), 1);
  reader.invalidateAll();
  assertEquals(await inspections(), 4);
});

Deno.test("EngineReader computes CPU use from its own two readings, and not across a restart", async () => {
  let nowMs = Date.UTC(2026, 0, 2);
  await using setup = await setUp(1, { nowMs: () => nowMs });
  const { engine, reader } = setup;
  assertEquals((await reader.read()).containers[0]?.cpuPercent, undefined);
  nowMs += 4000;
  assertEquals((await reader.read()).containers[0]?.cpuPercent, 25);
  const container = engine.containers.get(simulatedContainer(0).id);
  if (container) Object.assign(container, { startedMs: nowMs - 10, cores: 1e9 });
  reader.invalidate(simulatedContainer(0).id);
  nowMs += 4000;
  assertEquals((await reader.read()).containers[0]?.cpuPercent, undefined);
});

Deno.test("parseDockerHost() takes sockets and TCP", () => {
  assertEquals(parseDockerHost("unix:///run/user/1000/docker.sock"), {
    name: "unix:///run/user/1000/docker.sock",
    socketPath: "/run/user/1000/docker.sock",
  });
  assertEquals(parseDockerHost("tcp://proxy:2375"), {
    name: "tcp://proxy:2375",
    hostname: "proxy",
    port: 2375,
    tls: false,
  });
  assertEquals(parseDockerHost("tcp://10.0.0.1:2376"), {
    name: "tcp://10.0.0.1:2376",
    hostname: "10.0.0.1",
    port: 2376,
    tls: true,
  });
  assertEquals(parseDockerHost("https://h"), { name: "https://h", hostname: "h", port: 2376, tls: true });
  for (
    const text of [
      "",
      "unix://",
      "unix://docker.sock",
      "/var/run/docker.sock",
      "ssh://root@host",
      "tcp://",
      "tcp://h:99999",
    ]
  ) {
    try {
      parseDockerHost(text);
    } catch (error) {
      assert(error instanceof RangeError);
      continue;
    }
    throw new Error(`"${text}" was taken`);
  }
});

Deno.test("hostPermissionFlags() names what the socket takes", () => {
  assertEquals(
    hostPermissionFlags(parseDockerHost("unix:///s")),
    "--allow-read=/s --allow-write=/s --allow-net=unix:/s",
  );
  assertEquals(hostPermissionFlags(parseDockerHost("tcp://proxy:2375")), "--allow-net=proxy:2375");
});
