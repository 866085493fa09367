import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MANIFEST } from "../../exporters/docker/manifest.ts";
import { denoFlags } from "../../lib/command_line.ts";
import {
  DEFAULT_DOCKER_HOST,
  hostPermissionFlags,
  parseDockerHost,
} from "../../exporters/docker/docker_host.ts";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import type { SimulatedEngine } from "../../simulation/simulated_engine.ts";
import { Audit } from "../support/audit.ts";
import { eventually, startExporter } from "../support/exporter_process.ts";
import { assertGolden } from "../support/golden.ts";
import { needs } from "../support/programs.ts";
import { promtoolCheck } from "../support/promtool.ts";
import { startDockerExporter, temporaryEngine } from "../support/simulated_docker.ts";

const START_MS = Date.UTC(2026, 0, 1, 12);
const MIB = 1024 ** 2;

/** Takes out how long requests took; how many there were stays. */
function maskDurations(page: string): string {
  return page.replace(/^(docker_api_duration_seconds_(?:bucket|sum)\{.*\}) \S+$/gm, "$1 0");
}

/** Containers in every state, with odd names, limits, networks and labels. */
function addContainers(engine: SimulatedEngine): void {
  const compose = { "com.docker.compose.project": "worker", "com.docker.compose.service": "packager" };
  engine.add(
    simulatedContainer(0, {
      name: "transcode-1",
      labels: { "transcode.job_id": 'a "quoted" \\ job', "other": "not asked for" },
      cores: 1.5,
      memoryBytes: 300 * MIB,
      cacheBytes: 100 * MIB,
      memoryLimitBytes: 512 * MIB,
      memoryFailures: 3,
      cpuLimit: 2,
      memoryReservationBytes: 256 * MIB,
      pidsLimit: 100,
      networks: {
        eth0: { receiveBytesPerSecond: 1000, transmitBytesPerSecond: 2000 },
        eth1: { receiveBytesPerSecond: 10, transmitBytesPerSecond: 0 },
      },
      readBytesPerSecond: 500,
    }),
    simulatedContainer(1, {
      name: "packager",
      labels: compose,
      health: "unhealthy",
      restarts: 2,
      networks: {},
    }),
    simulatedContainer(2, { name: "Paused.name_2", state: "paused", cores: 0, writeBytesPerSecond: 0 }),
    simulatedContainer(3, { name: "finished", state: "exited", finishedMs: START_MS - 1500 }),
    simulatedContainer(4, {
      name: "killed",
      state: "exited",
      exitCode: 137,
      isOomKilled: true,
      finishedMs: START_MS,
    }),
    simulatedContainer(5, {
      name: "crashing",
      state: "restarting",
      exitCode: 1,
      finishedMs: START_MS,
      restarts: 7,
      health: "unhealthy",
    }),
    simulatedContainer(6, { name: "new", state: "created", startedMs: 0 }),
    simulatedContainer(7, { name: "going", state: "removing", finishedMs: START_MS }),
    simulatedContainer(8, { name: "stuck", state: "dead", exitCode: 255, finishedMs: START_MS }),
  );
}

for (
  const { golden, ...engineOptions } of [
    { golden: "states-cgroup-v1", cgroup: 1, apiVersion: "1.41", minApiVersion: "1.12" },
    { golden: "states-cgroup-v2", cgroup: 2, apiVersion: "1.52", minApiVersion: "1.44" },
    { golden: "states-podman", cgroup: 2, engine: "podman", apiVersion: "1.44" },
  ] as const
) {
  Deno.test({
    name: `docker exporter publishes containers in all states: ${golden}`,
    ...needs("promtool"),
    fn: async () => {
      let nowMs = START_MS;
      await using setup = await temporaryEngine({ ...engineOptions, nowMs: () => nowMs });
      const { engine, socketPath } = setup;
      addContainers(engine);
      engine.listen();
      // One reading at the start and one a second later, then none for an hour.
      await using exporter = await startDockerExporter(socketPath, {
        args: ["--interval=1h", "--container-label=transcode.job_id"],
      });
      nowMs += 10_000;
      await eventually(async () => {
        assertStringIncludes(await exporter.metrics(), "docker_container_cpu_percent{");
        assertEquals(engine.listenerCount, 1);
      });
      const response = await fetch(`${exporter.url}/metrics`);
      assertEquals(response.status, 200);
      const page = await response.text();
      await assertGolden(`docker/${golden}`, maskDurations(page));
      assertEquals(await promtoolCheck(page), "");
    },
  });
}

Deno.test("docker exporter explains what is wrong without an engine, and recovers by itself", async () => {
  await using setup = await temporaryEngine({ nowMs: () => START_MS });
  const { engine, socketPath } = setup;
  engine.add(simulatedContainer(0));
  await using exporter = await startDockerExporter(socketPath, { args: ["--interval=200ms"] });
  await eventually(async () => {
    const { sources } = await exporter.health();
    assertEquals(sources.map(({ name, up }) => [name, up]), [["docker", false], ["docker_events", false], [
      "http",
      true,
    ]]);
    assertStringIncludes(JSON.stringify(sources), "systemctl start docker");
  });
  const page = await exporter.metrics();
  // How often it was tried by now is not the same twice.
  await assertGolden("docker/no-engine", page.replace(/(?<=exporter_collect_failures_total.*) \d+$/gm, " 0"));
  engine.listen();
  await eventually(async () => assertEquals((await exporter.health()).status, "ok"));
  assertStringIncludes(await exporter.metrics(), 'docker_container_state{name="container-0"');
});

Deno.test("docker exporter shows nothing of an engine that hangs or is gone, and recovers by itself", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  engine.add(simulatedContainer(0));
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, {
    args: ["--interval=200ms", "--timeout=400ms"],
  });
  const isUp = async (): Promise<void> => {
    const page = await exporter.metrics();
    assertStringIncludes(page, 'exporter_source_up{source="docker"} 1');
    assertStringIncludes(page, 'exporter_source_up{source="docker_events"} 1');
    assertStringIncludes(page, "docker_container_memory_usage_bytes{");
  };
  const isDown = async (reason: string, advice: string): Promise<void> => {
    const page = await exporter.metrics();
    assertStringIncludes(page, 'exporter_source_up{source="docker"} 0');
    assertStringIncludes(page, `exporter_source_error{source="docker",reason="${reason}"} 1`);
    assert(!/^docker_container/m.test(page), "old values are shown");
    assertStringIncludes(JSON.stringify(await exporter.health()), advice);
  };
  await eventually(isUp);

  engine.fault = () => "hang";
  await eventually(() => isDown("timeout", "journalctl -u docker"));
  engine.fault = () => "nonsense";
  await eventually(() => isDown("invalid", "Check that"));
  engine.fault = () => "forbidden";
  await eventually(() => isDown("refused", "CONTAINERS=1"));
  engine.fault = () => "error";
  await eventually(() => isDown("refused", "something went wrong"));
  engine.fault = () => "redirect";
  await eventually(() => isDown("refused", "a redirect"));
  engine.fault = () => undefined;
  await eventually(isUp);

  await engine.close();
  await eventually(() => isDown("missing", "systemctl start docker"));
  engine.listen();
  await eventually(isUp);
});

Deno.test("docker exporter answers while the engine does not", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  engine.add(simulatedContainer(0));
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, {
    args: ["--interval=100ms", "--timeout=1h"],
  });
  await eventually(async () => assertEquals((await exporter.health()).status, "ok"));
  // A scrape that waited for it would never be answered.
  engine.fault = () => "hang";
  engine.requests.length = 0;
  await eventually(() => assert(engine.requests.length > 0));
  assertStringIncludes(await exporter.metrics(), "docker_container_memory_usage_bytes{");
});

Deno.test("docker exporter counts what happens between two scrapes", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, { args: ["--interval=200ms"] });
  await eventually(() => assertEquals(engine.listenerCount, 1));
  const job = simulatedContainer(0, { name: "three-seconds" });
  engine.emit(job, "create");
  engine.emit(job, "start");
  engine.emit(job, "oom");
  engine.cutEvents();
  engine.emit(job, "die", { exitCode: "137" });
  engine.emit(job, "destroy");
  await eventually(async () => {
    const page = await exporter.metrics();
    assertMatch(page, /^docker_container_oom_total\{name="three-seconds",id="\w{12}"\} 1$/m);
    assertMatch(page, /^docker_container_events_total\{name="three-seconds",id="\w{12}",action="die"\} 1$/m);
    assertMatch(page, /^docker_exits_total\{exit_code="137"\} 1$/m);
    assertMatch(page, /^docker_events_total\{action="oom"\} 1$/m);
    assertMatch(page, /^docker_event_stream_reconnects_total 1$/m);
  });
  assert(!(await exporter.metrics()).includes("docker_container_state{"));
});

Deno.test("docker exporter shows a lost connection, and that it reads, also when no event comes", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, { args: ["--interval=200ms"] });
  await eventually(() => assertEquals(engine.listenerCount, 1));
  const value = async (series: string): Promise<number> => {
    const line = (await exporter.metrics()).split("\n").find((line) => line.startsWith(`${series} `));
    return Number(line?.slice(series.length));
  };
  assertEquals(await value("docker_event_stream_reconnects_total"), 0);
  engine.cutEvents();
  await eventually(async () => assertEquals(await value("docker_event_stream_reconnects_total"), 1));
  for (const source of ["docker", "docker_events"]) {
    const lastSuccess = `exporter_last_success_timestamp_seconds{source="${source}"}`;
    const before = await value(lastSuccess);
    await eventually(async () => assert(await value(lastSuccess) > before, source));
  }
  // Nobody measures how long events take to be read.
  assert(Number.isNaN(await value('exporter_collect_duration_seconds{source="docker_events"}')));
});

Deno.test("docker exporter publishes only the containers it is asked for", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  for (const [index, name] of ["job-1", "job-2", "job-2-helper", "database"].entries()) {
    engine.add(simulatedContainer(index, { name }));
  }
  engine.listen();
  await using exporter = await startDockerExporter(socketPath, {
    args: ["--include=^job", "--exclude=helper$"],
  });
  const job = [...engine.containers.values()];
  await eventually(() => assertEquals(engine.listenerCount, 1));
  for (const container of job) engine.emit(container, "start");
  await eventually(async () =>
    assertMatch(await exporter.metrics(), /^docker_events_total\{action="start"\} 2$/m)
  );
  const page = await exporter.metrics();
  assertEquals([...new Set(page.match(/(?<=name=")[^"]+/g))].sort(), ["job-1", "job-2"]);
  assertStringIncludes(page, 'docker_containers{state="running"} 2');
});

const BAD_FLAGS: [string[], string][] = [
  [
    ["--include=["],
    'Cannot use "--include" as it must be a regular expression (Unterminated character class)',
  ],
  [["--exclude=*"], 'Cannot use "--exclude" as it must be a regular expression (Nothing to repeat)'],
  [["--docker-host=ssh://host"], 'as it must be "unix:///PATH" or "tcp://HOST:PORT"'],
  [["--concurrency=0"], 'Cannot use "--concurrency" as it must be 1 to 1000'],
  [["--interval=soon"], 'Cannot use "--interval" as it must be a duration'],
  [["--docker-cert-path=/x"], 'Cannot use "--docker-cert-path" with a unix socket'],
  [
    ["--docker-host=tcp://localhost:2376", "--docker-cert-path=/nowhere"],
    'start with "--allow-read=/nowhere"',
  ],
  [["--container-label=a.b", "--container-label=a-b"], 'becomes "label_a_b" too'],
];

for (const [args, sentence] of BAD_FLAGS) {
  Deno.test(`docker exporter refuses ${args.join(" ")}`, async () => {
    const error = await startExporter("docker", { args }).then(
      () => "",
      (error) => String(error),
    );
    assertStringIncludes(error, sentence);
  });
}

Deno.test("docker exporter names the missing flag", async () => {
  await using setup = await temporaryEngine();
  setup.engine.listen();
  await using exporter = await startExporter("docker", {
    args: [`--docker-host=unix://${setup.socketPath}`],
  });
  const health = JSON.stringify(await exporter.health());
  assertStringIncludes(health, hostPermissionFlags(parseDockerHost(`unix://${setup.socketPath}`)));
});

Deno.test("docker exporter's task grants its default socket and nothing else", () => {
  const socket = DEFAULT_DOCKER_HOST.slice("unix://".length);
  assertEquals(denoFlags(MANIFEST).filter((flag) => !flag.startsWith("--v8-flags=")), [
    "--no-prompt",
    `--allow-read=${socket}`,
    `--allow-write=${socket}`,
    `--allow-net=0.0.0.0:9501,unix:${socket}`,
    "--allow-env=DOCKER_STATS_PORT",
    "--ignore-env",
  ]);
});

Deno.test("docker exporter uses exactly what it is granted, and no environment", async () => {
  await using setup = await temporaryEngine();
  const { engine, socketPath } = setup;
  engine.add(simulatedContainer(0));
  engine.listen();
  using audit = new Audit();
  {
    await using exporter = await startDockerExporter(socketPath, {
      args: ["--interval=200ms"],
      env: { ...audit.env, DOCKER_HOST: "tcp://127.0.0.1:1" },
    });
    await eventually(async () =>
      assertStringIncludes(await exporter.metrics(), "docker_container_cpu_percent{")
    );
    assertEquals((await exporter.health()).status, "ok");
  }
  const used = audit.uses().map(({ permission, value }) =>
    permission === "env" ? "env" : `${permission} ${value.replace(/0\.0\.0\.0:\d+/, "0.0.0.0")}`
  );
  // The environment is asked by the library's parts, and is not there.
  assertEquals([...new Set(used)].filter((use) => use !== "env").sort(), [
    "net 0.0.0.0",
    `net unix:${socketPath}`,
    `read ${socketPath}`,
    `write ${socketPath}`,
  ]);
});
