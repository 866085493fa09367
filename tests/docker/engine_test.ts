/** The docker exporter on a real Docker Engine. */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { DockerEngine, needsDocker } from "../support/docker_engine.ts";
import { DockerPage as Page } from "../support/docker_page.ts";
import { eventually, type ExporterProcess } from "../support/exporter_process.ts";
import { startDockerExporter } from "../support/simulated_docker.ts";

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1e3,
  MB: 1e6,
};

/** Fails unless a number that docker stats rounded to three or four digits, such as `1.25kB`, is this one. */
function assertShown(shown: string, bytes: number | undefined): void {
  const [, amount, unit = ""] = /^([\d.]+)(\w+)$/.exec(shown) ?? [];
  const scale = UNITS[unit] ?? NaN;
  assertAlmostEquals(Number(amount), (bytes ?? NaN) / scale, Number(amount) * 5.01e-3, shown);
}

interface EngineStats {
  memory_stats: {
    usage: number;
    limit: number;
    stats: { total_inactive_file?: number; inactive_file?: number };
  };
  pids_stats: { current: number };
  networks: Record<string, { rx_bytes: number; tx_bytes: number; rx_packets: number }>;
  blkio_stats: { io_service_bytes_recursive: { op: string; value: number }[] | null };
}

/** Holds a busy container against the engine's own API and against docker stats. */
async function assertEqualsEngine(
  engine: DockerEngine,
  exporter: ExporterProcess,
  name: string,
): Promise<void> {
  const page = await Page.of(exporter);
  const stats = await engine.api(`/v1.41/containers/${name}/stats?stream=false&one-shot=true`) as EngineStats;
  const { usage, limit, stats: parts } = stats.memory_stats;
  assertEquals(
    page.of(name, "memory_usage_bytes"),
    usage - (parts.total_inactive_file ?? parts.inactive_file ?? 0),
  );
  assertEquals(page.of(name, "memory_limit_bytes"), limit);
  assertEquals(page.of(name, "pids"), stats.pids_stats.current);
  const { eth0 } = stats.networks;
  const received = page.of(name, "network_receive_bytes_total", { interface: "eth0" }) ?? NaN;
  const sent = page.of(name, "network_transmit_bytes_total", { interface: "eth0" }) ?? NaN;
  assertEquals([received, sent], [eth0?.rx_bytes, eth0?.tx_bytes]);
  assertEquals(page.of(name, "network_receive_packets_total", { interface: "eth0" }), eth0?.rx_packets);
  const written = (stats.blkio_stats.io_service_bytes_recursive ?? [])
    .filter(({ op }) => op.toLowerCase() === "write").reduce((sum, { value }) => sum + value, 0);
  assertEquals(page.of(name, "block_write_bytes_total"), written);

  const shown = JSON.parse(await engine.docker("stats", "--no-stream", "--format", "{{json .}}", name));
  assertEquals(shown.PIDs, String(page.of(name, "pids")));
  assertEquals(shown.MemPerc, `${page.of(name, "memory_percent")?.toFixed(2)}%`);
  assertShown(shown.MemUsage.split(" / ")[0], page.of(name, "memory_usage_bytes"));
  assertShown(shown.NetIO.split(" / ")[0], received);
  assertShown(shown.NetIO.split(" / ")[1], sent);
  assertShown(shown.BlockIO.split(" / ")[1], written);
}

/** Waits until the page shows what is wanted. */
function shows(exporter: ExporterProcess, check: (page: Page) => void): Promise<void> {
  return eventually(async () => check(await Page.of(exporter)), 20_000);
}

Deno.test({
  name: "docker exporter tells the truth of a real engine",
  ...needsDocker(),
  fn: async (t) => {
    await using engine = await DockerEngine.start();
    await engine.run("limited", "while :; do :; done", "--cpus=0.3");
    await engine.favour();
    // Three readings: at the start, a second later, and ten seconds after that.
    await using slow = await startDockerExporter(engine.socketPath, { args: ["--interval=10s"] });
    await using exporter = await startDockerExporter(engine.socketPath, {
      args: ["--interval=500ms", "--timeout=3s", "--container-label=job"],
    });

    await t.step("memory, processes, network and block I/O equal the engine's", async () => {
      await engine.run("peer", "sleep 1000");
      const address = await engine.docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "peer");
      const device = await engine.device();
      await engine.run(
        "worker",
        `dd if=/dev/zero of=/dev/shm/memory bs=1M count=20; dd if=/dev/zero of=/file bs=64k count=20 oflag=direct
         ping -c 20 -i 0.02 -s 1000 ${address}; sleep 1000 & sleep 1000 & sleep 1000`,
        "--memory=128m",
        "--label=job=encode-7",
        // The kernel counts a container's transfers only where they have a limit.
        ...(device ? [`--device-write-bps=${device}:500mb`] : []),
      );
      await shows(exporter, (page) => {
        assertEquals(page.of("worker", "pids"), 3);
        assert((page.of("worker", "network_transmit_packets_total") ?? 0) >= 20);
      });
      await eventually(() => assertEqualsEngine(engine, exporter, "worker"), 30_000);
      const page = await Page.of(exporter);
      assert((page.of("worker", "memory_usage_bytes") ?? 0) > 20 * 1024 ** 2);
      if (device) assertEquals(page.of("worker", "block_write_bytes_total"), 20 * 65_536);
      assertEquals(page.of("worker", "labels", { label_job: "encode-7" }), 1);
    });

    await t.step("networks: none, the host's, two; a name with odd characters", async () => {
      await engine.docker("network", "create", "second");
      await Promise.all([
        engine.run("Odd.name-1_x", "sleep 1000", "--network=none"),
        engine.run("on-host", "sleep 1000", "--network=host"),
        engine.run("on-two", "sleep 1000"),
      ]);
      await engine.docker("network", "connect", "second", "on-two");
      await shows(exporter, (page) => {
        assert(page.of("Odd.name-1_x", "pids"));
        assert(page.of("on-host", "pids"));
        const interfaces = ["eth0", "eth1"].map((name) =>
          page.of("on-two", "network_receive_bytes_total", { interface: name })
        );
        assert(interfaces.every((bytes) => bytes !== undefined));
        assertEquals(page.of("Odd.name-1_x", "network_receive_bytes_total"), undefined);
        assertEquals(page.of("on-host", "network_receive_bytes_total"), undefined);
      });
    });

    await t.step("killed, removed, restarted, paused, created", async () => {
      for (const name of ["killed", "removed", "restarted", "paused"]) await engine.run(name, "sleep 1000");
      await engine.docker("create", "--name=created", "busybox:local", "true");
      await shows(exporter, (page) => assertEquals(page.state("paused"), "running"));
      const startedBefore = (await Page.of(exporter)).of("restarted", "start_time_seconds");
      await Promise.all([
        engine.docker("kill", "killed"),
        engine.docker("rm", "--force", "removed"),
        engine.docker("restart", "--time=0", "restarted"),
        engine.docker("pause", "paused"),
      ]);
      await shows(exporter, (page) => {
        assertEquals(page.state("killed"), "exited");
        assertEquals(page.of("killed", "exit_code"), 137);
        assert(
          (page.of("killed", "finish_time_seconds") ?? 0) > (page.of("killed", "start_time_seconds") ?? 0),
        );
        assertEquals(page.of("killed", "cpu_usage_seconds_total"), undefined);
        assertEquals(page.state("removed"), undefined);
        assertEquals(page.of("removed", "pids"), undefined);
        assertEquals(page.of("removed", "events_total", { action: "destroy" }), 1);
        assertEquals(page.state("restarted"), "running");
        assertEquals(page.of("restarted", "events_total", { action: "restart" }), 1);
        assertEquals(page.of("restarted", "events_total", { action: "start" }), 2);
        assertEquals(page.of("restarted", "events_total", { action: "die" }), 1);
        assertNotEquals(page.of("restarted", "start_time_seconds"), startedBefore);
        assertEquals(page.state("paused"), "paused");
        assertEquals(page.of("paused", "cpu_percent"), 0);
        assertEquals(page.state("created"), "created");
        assertEquals(page.of("created", "exit_code"), undefined);
      });
      await engine.docker("unpause", "paused");
    });

    await t.step("out of memory", async () => {
      // The engine misses a kill while it is still starting the container, or when the container ends with it.
      await engine.run(
        "out-of-memory",
        `until [ -e /started ]; do sleep 0.1; done
         dd if=/dev/zero of=/dev/null bs=64M count=1
         until [ -e /counted ]; do sleep 0.1; done
         exit 137`,
        "--memory=16m",
        "--memory-swap=16m",
      );
      await engine.docker("exec", "out-of-memory", "sh", "-c", ": >/started");
      await shows(exporter, (page) => assert(page.of("out-of-memory", "oom_total")));
      await engine.docker("exec", "out-of-memory", "sh", "-c", ": >/counted");
      await shows(exporter, (page) => assertEquals(page.of("out-of-memory", "exit_code"), 137));
      // One kill can be two events.
      const events = await engine.docker(
        "events",
        ...["--since", "0", "--until", String(Math.ceil(Date.now() / 1000))],
        ...["--filter", "container=out-of-memory", "--filter", "event=oom", "--format", "{{.ID}}"],
      );
      const kills = events.split("\n").filter(Boolean).length;
      assertEquals((await Page.of(exporter)).of("out-of-memory", "oom_total"), kills);
    });

    await t.step("restarted by policy, unhealthy, gone at once", async () => {
      await engine.run("crashing", "exit 5", "--restart=on-failure:2");
      await engine.run(
        "sick",
        "sleep 1000",
        "--health-cmd=false",
        "--health-interval=300ms",
        "--health-retries=1",
      );
      // With --rm it is gone before anybody can look.
      await engine.docker("run", "--rm", "--name=brief", "busybox:local", "sh", "-c", "exit 44").catch(
        String,
      );
      await shows(exporter, (page) => {
        assertEquals(page.of("crashing", "restarts_total"), 2);
        assertEquals(page.of("crashing", "exit_code"), 5);
        assertEquals(page.of("sick", "health", { status: "unhealthy" }), 1);
        assertEquals(page.of("sick", "events_total", { action: "health_status" }), 1);
        assertEquals(page.state("brief"), undefined);
        assertEquals(page.of("brief", "events_total", { action: "die" }), 1);
        assertEquals(page.value("docker_exits_total", { exit_code: "44" }), 1);
      });
    });

    await t.step("CPU of 0.3 cores over ten seconds", async () => {
      const isThird = (page: Page): void => {
        const readings = page.value("docker_api_duration_seconds_count", { endpoint: "list" }) ?? 0;
        assert(readings >= 3);
      };
      await shows(slow, isThird);
      assertAlmostEquals((await Page.of(slow)).of("limited", "cpu_percent") ?? NaN, 30, 3);
      const throttled = (await Page.of(slow)).of("limited", "cpu_throttled_seconds_total");
      assert((throttled ?? 0) > 1);
    });

    await t.step("an engine that hangs and goes on", async () => {
      await engine.signal("SIGSTOP");
      await shows(exporter, (page) => {
        assertEquals(page.value("exporter_source_up", { source: "docker" }), 0);
        assertEquals(page.value("exporter_source_error", { source: "docker", reason: "timeout" }), 1);
        assertEquals(page.of("limited", "pids"), undefined);
      });
      await engine.signal("SIGCONT");
      await shows(exporter, (page) => {
        assertEquals(page.value("exporter_source_up", { source: "docker" }), 1);
        assertEquals(page.value("exporter_source_up", { source: "docker_events" }), 1);
        assertEquals(page.state("limited"), "running");
      });
    });

    await t.step("an engine that stops and starts again", async () => {
      await engine.stop();
      await shows(exporter, (page) => {
        assertEquals(page.value("exporter_source_up", { source: "docker" }), 0);
        assertEquals(page.value("exporter_source_up", { source: "docker_events" }), 0);
        assertEquals(page.state("limited"), undefined);
      });
      await engine.launch();
      await shows(exporter, (page) => {
        assertEquals(page.value("exporter_source_up", { source: "docker" }), 1);
        assertEquals(page.value("exporter_source_up", { source: "docker_events" }), 1);
        assertEquals(page.state("limited"), "exited");
        assertEquals(page.state("killed"), "exited");
      });
      await engine.docker("start", "limited");
      await shows(exporter, (page) => {
        assertEquals(page.state("limited"), "running");
        assert(page.of("limited", "cpu_percent"));
        assertEquals(page.of("limited", "events_total", { action: "start" }), 1);
      });
    });
  },
});
