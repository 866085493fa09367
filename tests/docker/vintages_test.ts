/**
 * The docker exporter on engines of several vintages: each value that it publishes of a container, held against the
 * kernel's own account and the engine's own command.
 *
 * The engine of this machine always, those of other Debian suites where `DEBIAN_SUITES` names a folder with a root
 * of each (debootstrap).
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { type Account, containerAccount } from "../support/container_account.ts";
import { DockerEngine, type EngineSource, needsDocker } from "../support/docker_engine.ts";
import { DockerPage } from "../support/docker_page.ts";
import { eventually } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";
import { startDockerExporter } from "../support/simulated_docker.ts";

const SUITES = Deno.env.get("DEBIAN_SUITES");
/** Where to write what the engines answer: `RECORD_TO=tests/fixtures/docker`. */
const RECORD_TO = Deno.env.get("RECORD_TO");
const MIB = 1024 ** 2;
/** For an emulated machine; elsewhere all is there within seconds. */
const PATIENCE_MS = 120_000;

/** The engines; what each never reports is absent, of all else the page has the kernel's value. */
const ENGINES: ({ suite?: string } & EngineSource)[] = [
  { engine: "docker" },
  ...SUITES === undefined ? [] : [
    { engine: "docker", suite: "trixie" },
    { engine: "docker", suite: "sid" },
    { engine: "podman", suite: "bookworm" },
    { engine: "podman", suite: "trixie" },
    { engine: "podman", suite: "sid" },
  ] as const,
];

interface Details {
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: { readonly Running: boolean };
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

/** Of the values in a container's account, those that Podman's API does not report. */
const UNREPORTED_BY_PODMAN = [
  "cpu_periods_total",
  "cpu_throttled_periods_total",
  "cpu_throttled_seconds_total",
  "memory_anonymous_bytes",
  "memory_cache_bytes",
  "memory_failures_total",
  "memory_swap_bytes",
];
/** What Podman before 5 does not report either. */
const UNREPORTED_BY_PODMAN_4 = ["network_receive_packets_total", "network_transmit_packets_total"];

/** Uses every resource, then nothing more, so that all accounts agree. */
const WORK = `
  dd if=/dev/zero of=/dev/shm/memory bs=1M count=20; dd if=/dev/zero of=/file bs=1M count=10; cat /file >/dev/null
  for i in $(seq 200000); do :; done
  sleep 1000 & sleep 1000 & wait`;

/** A child that the kernel kills again and again. */
const KILLS = 5;
const LEAK = `until [ -e /go ]; do sleep 0.2; done
  for i in $(seq ${KILLS}); do dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 0.5; done; sleep 1000`;

for (const { suite, engine = "docker" } of ENGINES) {
  const root = suite === undefined ? "/" : `${SUITES}/${suite}`;
  const program = engine === "docker" ? "usr/sbin/dockerd" : "usr/bin/podman";
  const options = suite === undefined ? needsDocker() : needs(`${root}/${program}`);
  Deno.test({
    name: `docker exporter agrees with ${engine} of ${suite ?? "this machine"} and with the kernel`,
    ...options,
    fn: async (t) => {
      await using box = await DockerEngine.start({ engine, root });
      await using exporter = await startDockerExporter(box.socketPath, { args: ["--interval=500ms"] });
      const page = (): Promise<DockerPage> => DockerPage.of(exporter);
      const info = (await page()).labelsOf("docker_engine_info");
      assertEquals(info["engine"], engine);
      const unreported = engine === "docker" ? [] : [
        ...UNREPORTED_BY_PODMAN,
        ...info["version"]?.startsWith("4.") ? UNREPORTED_BY_PODMAN_4 : [],
      ];

      await t.step(`every value of a container that worked (${info["version"]})`, async () => {
        const id = await box.run(
          "worker",
          WORK,
          ...["--cpus=0.5", "--memory=128m", "--memory-reservation=64m", "--pids-limit=50"],
        );
        await eventually(async () => assertEquals((await page()).of("worker", "pids"), 3), PATIENCE_MS);
        await eventually(async () => {
          const account = await containerAccount(id);
          assertPage(await page(), "worker", account, unreported, engine);
          // It did not change while the page was made.
          assertEquals(await containerAccount(id), account);
        }, PATIENCE_MS);
        assertEquals((await page()).of("worker", "cpu_limit_ratio"), 0.5);
        assertEquals((await page()).of("worker", "memory_reservation_bytes"), 64 * MIB);
        assertEquals((await page()).of("worker", "pids_limit"), 50);
      });

      await t.step("memory, processes and state, by the engine's own command", async () => {
        const { OOMKilled, Running } = JSON.parse(
          await box.own("inspect", "--format={{json .State}}", "worker"),
        );
        assertEquals([OOMKilled, Running], [false, true]);
        await eventually(async () => {
          const [shown] = [JSON.parse(await box.own("stats", "--no-stream", "--format=json", "worker"))]
            .flat();
          const now = await page();
          assertEquals(now.state("worker"), "running");
          assertEquals(now.of("worker", "oom_killed"), 0);
          assertEquals(Number(shown.PIDs ?? shown.pids), now.of("worker", "pids"));
          const percent = Number.parseFloat(shown.MemPerc ?? shown.mem_percent);
          assertAlmostEquals(percent, now.of("worker", "memory_percent") ?? NaN, 0.02);
        }, PATIENCE_MS);
      });

      await t.step("a container whose child is killed again and again", async () => {
        const id = await box.run("leaky", LEAK, "--memory=16m", "--memory-swap=16m");
        await eventually(async () => assertEquals((await page()).state("leaky"), "running"), PATIENCE_MS);
        await box.docker("exec", "leaky", "sh", "-c", ": >/go");
        await eventually(
          async () => assertEquals((await containerAccount(id))["oom_kills"], KILLS),
          PATIENCE_MS,
        );
        const account = await containerAccount(id);
        await eventually(async () => {
          const now = await page();
          if (engine === "podman") {
            assertEquals(now.of("leaky", "oom_total"), undefined);
            assertEquals(now.of("leaky", "memory_failures_total"), undefined);
            assertEquals(now.value("docker_events_total", { action: "oom" }), undefined);
          } else {
            assert((now.of("leaky", "oom_total") ?? 0) >= KILLS, `${now.of("leaky", "oom_total")} events`);
            assertEquals(now.of("leaky", "memory_failures_total"), account["memory_failures_total"]);
          }
        }, PATIENCE_MS);
        await box.run("killed", "sleep 2; exec dd if=/dev/zero of=/dev/null bs=64M count=1", "--memory=16m");
        await eventually(async () => {
          const now = await page();
          assertEquals(now.of("killed", "exit_code"), 137);
          const noted = await box.own("inspect", "--format={{.State.OOMKilled}}", "killed");
          assertEquals(now.of("killed", "oom_killed"), noted === "true" ? 1 : 0);
        }, PATIENCE_MS);
      });

      if (RECORD_TO !== undefined) await record(box, RECORD_TO);

      await t.step("events, in Docker's words", async () => {
        await box.run("brief", "sleep 1000");
        await eventually(async () => assertEquals((await page()).state("brief"), "running"), PATIENCE_MS);
        await box.docker("kill", "brief");
        await eventually(async () => assertEquals((await page()).state("brief"), "exited"), PATIENCE_MS);
        await box.docker("rm", "brief");
        await eventually(async () => {
          const now = await page();
          for (const action of ["create", "start", "die", "destroy"]) {
            assertEquals(now.of("brief", "events_total", { action }), 1, action);
          }
          assertEquals(now.state("brief"), undefined);
        }, PATIENCE_MS);
      });
    },
  });
}

/** Writes what an engine answers, for recorded_test.ts: all that is read, and nothing of the machine. */
async function record(box: DockerEngine, folder: string): Promise<void> {
  const version = await box.api("/version") as Record<string, string>;
  const list = await box.api("/v1.41/containers/json?all=true") as { Id: string }[];
  const details = await Promise.all(list.map(async ({ Id }) => {
    const { Name, RestartCount, State, HostConfig } = await box.api(
      `/v1.41/containers/${Id}/json`,
    ) as Details;
    const stats = State.Running
      ? await box.api(`/v1.41/containers/${Id}/stats?stream=false&one-shot=true`)
      : null;
    const { NanoCpus, CpuQuota, CpuPeriod, Memory, MemoryReservation, MemorySwap, PidsLimit } = HostConfig;
    const limits = { NanoCpus, CpuQuota, CpuPeriod, Memory, MemoryReservation, MemorySwap, PidsLimit };
    return [Id, { inspection: { Id, Name, RestartCount, State, HostConfig: limits }, stats }];
  }));
  const cgroup = Deno.readTextFileSync("/proc/mounts").includes(" /sys/fs/cgroup cgroup2 ") ? 2 : 1;
  const recording = {
    version: { ...version, KernelVersion: "x" },
    list: list.map((entry) => ({ ...entry, NetworkSettings: {}, Mounts: [] })),
    containers: Object.fromEntries(details),
  };
  const isPodman = JSON.stringify(version["Components"]).includes("Podman");
  const name = `${isPodman ? "podman" : "docker"}-${
    version["Version"]?.replace(/[+~].*/, "")
  }-cgroup-v${cgroup}`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/${name}.json`, `${JSON.stringify(recording, undefined, 1)}\n`);
}

/** Fails unless the page has the kernel's value of everything that the engine reports, and nothing of the rest. */
function assertPage(
  page: DockerPage,
  container: string,
  account: Account,
  unreported: readonly string[],
  engine: "docker" | "podman",
): void {
  for (const [metric, value] of Object.entries(account)) {
    if (metric === "memory_total" || metric === "oom_kills") continue;
    const published = page.of(container, metric);
    if (unreported.includes(metric)) {
      assertEquals(published, undefined, metric);
    } else if (metric === "memory_usage_bytes" && engine === "podman") {
      // With page cache or without, by its version; its own command shows the same number.
      assert((published ?? NaN) >= (account["memory_anonymous_bytes"] ?? NaN), metric);
      assert((published ?? NaN) <= (account["memory_total"] ?? NaN), metric);
    } else if (metric === "memory_swap_bytes" && published === undefined) {
      // Docker passes on what memory.stat has: nothing where the kernel does not count swap.
      assertEquals(value, 0);
    } else {
      assertAlmostEquals(published ?? NaN, value, 1e-6, metric);
    }
  }
}
