import { assertAlmostEquals, assertEquals } from "@std/assert";
import { parseDetails, parseListed } from "../../exporters/docker/container.ts";
import { type ContainerStats, cpuPercent, memoryPercent, parseStats } from "../../exporters/docker/stats.ts";

const READ = "2026-01-01T00:00:10.5Z";

function parse(body: Record<string, unknown>): ContainerStats {
  const stats = parseStats({ read: READ, ...body });
  if (!stats) throw new Error("not read");
  return stats;
}

// The cases of docker's own command line:
// https://github.com/docker/cli/blob/v28.2.2/cli/command/container/stats_helpers_test.go
const MEMORY_CASES: [string, Record<string, unknown>, number | undefined][] = [
  ["nothing but usage", { usage: 500 }, 500],
  ["cgroup v1", { usage: 500, stats: { total_inactive_file: 200 } }, 300],
  ["cgroup v2", { usage: 500, stats: { inactive_file: 200 } }, 300],
  ["cgroup v1 before v2", { usage: 500, stats: { total_inactive_file: 100, inactive_file: 200 } }, 400],
  [
    "v1 larger than usage, v2 not",
    { usage: 500, stats: { total_inactive_file: 600, inactive_file: 200 } },
    300,
  ],
  ["inactive larger than usage", { usage: 500, stats: { total_inactive_file: 600 } }, 500],
  ["inactive equal to usage", { usage: 500, stats: { inactive_file: 500 } }, 500],
  ["inactive 0", { usage: 500, stats: { total_inactive_file: 0 } }, 500],
  ["no usage", { stats: { inactive_file: 200 } }, undefined],
  ["usage of no sense", { usage: -1 }, undefined],
];

for (const [name, memory, expected] of MEMORY_CASES) {
  Deno.test(`parseStats() counts memory as docker stats does: ${name}`, () => {
    assertEquals(parse({ memory_stats: memory }).memoryUsageBytes, expected);
  });
}

Deno.test("memoryPercent() is absent without a limit", () => {
  assertEquals(memoryPercent(parse({ memory_stats: { usage: 500, limit: 2000 } })), 25);
  assertEquals(memoryPercent(parse({ memory_stats: { usage: 500, limit: 0 } })), undefined);
  assertEquals(memoryPercent(parse({ memory_stats: { usage: 500 } })), undefined);
});

function withCpu(nanoseconds: number | undefined, read: string): ContainerStats {
  return parse({ read, cpu_stats: { cpu_usage: { total_usage: nanoseconds } } });
}

Deno.test("cpuPercent() divides the CPU time by the time between the readings", () => {
  const earlier = withCpu(5e9, "2026-01-01T00:00:10.000000000Z");
  assertAlmostEquals(cpuPercent(earlier, withCpu(8e9, "2026-01-01T00:00:20.000000000Z")) ?? NaN, 30);
  assertAlmostEquals(cpuPercent(earlier, withCpu(20e9, "2026-01-01T00:00:15Z")) ?? NaN, 300);
  assertEquals(cpuPercent(earlier, withCpu(5e9, "2026-01-01T00:00:15Z")), 0);
});

Deno.test("cpuPercent() is absent when the readings do not belong together", () => {
  const earlier = withCpu(5e9, "2026-01-01T00:00:10Z");
  assertEquals(cpuPercent(earlier, withCpu(4e9, "2026-01-01T00:00:20Z")), undefined, "restarted");
  assertEquals(cpuPercent(earlier, withCpu(6e9, "2026-01-01T00:00:10Z")), undefined, "same time");
  assertEquals(cpuPercent(earlier, withCpu(6e9, "2026-01-01T00:00:05Z")), undefined, "clock went back");
  assertEquals(cpuPercent(earlier, withCpu(undefined, "2026-01-01T00:00:20Z")), undefined, "not read");
});

Deno.test("parseStats() reads nothing of a container that does not run", () => {
  assertEquals(parseStats({ read: "0001-01-01T00:00:00Z", cpu_stats: {}, memory_stats: {} }), undefined);
  assertEquals(parseStats({}), undefined);
});

Deno.test("parseStats() sums block devices for cgroup v1 and v2, and takes no operation twice", () => {
  const v1 = ["Read", "Write", "Sync", "Async", "Total"].map((op, index) => ({
    major: 8,
    minor: 0,
    op,
    value: 10 ** index,
  }));
  const v2 = [{ major: 8, op: "read", value: 5 }, { major: 259, op: "read", value: 6 }, {
    major: 8,
    op: "write",
    value: 7,
  }];
  const block = (entries: unknown): unknown[] => {
    const { blockReadBytes, blockWriteBytes } = parse({
      blkio_stats: { io_service_bytes_recursive: entries },
    });
    return [blockReadBytes, blockWriteBytes];
  };
  assertEquals(block(v1), [1, 10]);
  assertEquals(block(v2), [11, 7]);
  assertEquals(block([]), [0, 0]);
  assertEquals(block(null), [undefined, undefined]);
});

Deno.test("parseStats() lists networks by name, and none without a network", () => {
  const counters = {
    rx_bytes: 1,
    rx_packets: 2,
    rx_errors: 3,
    rx_dropped: 4,
    tx_bytes: 5,
    tx_packets: 6,
    tx_errors: 7,
  };
  const { networks } = parse({ networks: { eth1: {}, eth0: counters } });
  assertEquals(networks.map(({ interface: name }) => name), ["eth0", "eth1"]);
  assertEquals(networks[0]?.receive, { bytes: 1, packets: 2, errors: 3, dropped: 4 });
  assertEquals(networks[0]?.transmit, { bytes: 5, packets: 6, errors: 7, dropped: undefined });
  assertEquals(parse({}).networks, []);
});

Deno.test("parseListed() takes the container's own name, not its links", () => {
  const name = (names: unknown): string | undefined =>
    parseListed({ Id: "a".repeat(64), Names: names })?.name;
  assertEquals(name(["/web"]), "web");
  assertEquals(name(["/proxy/backend", "/web"]), "web");
  assertEquals(name(["/Odd.name-1_x"]), "Odd.name-1_x");
  assertEquals(name(null), "aaaaaaaaaaaa");
  assertEquals(name([]), "aaaaaaaaaaaa");
  assertEquals(parseListed({ Names: ["/web"] }), undefined);
  assertEquals(parseListed("web"), undefined);
});

Deno.test("parseDetails() knows an exit code only of a run that is over", () => {
  const details = (state: Record<string, unknown>): (number | undefined)[] => {
    const { exitCode, startedMs, finishedMs } = parseDetails({ State: state });
    return [exitCode, startedMs, finishedMs];
  };
  const times = { StartedAt: "2026-01-01T00:00:01Z", FinishedAt: "2026-01-01T00:00:02.5Z" };
  const never = { StartedAt: "0001-01-01T00:00:00Z", FinishedAt: "0001-01-01T00:00:00Z" };
  const [started, finished] = [Date.UTC(2026, 0, 1, 0, 0, 1), Date.UTC(2026, 0, 1, 0, 0, 2, 500)];
  assertEquals(details({ Status: "exited", ExitCode: 0, ...times }), [0, started, finished]);
  assertEquals(details({ Status: "exited", ExitCode: 137, ...times }), [137, started, finished]);
  assertEquals(details({ Status: "restarting", ExitCode: 1, ...times }), [1, started, finished]);
  assertEquals(details({ Status: "running", ExitCode: 0, ...times }), [undefined, started, undefined]);
  assertEquals(details({ Status: "created", ExitCode: 0, ...never }), [undefined, undefined, undefined]);
  assertEquals(details({ Status: "created", ExitCode: 127, ...never }), [127, undefined, undefined]);
});

Deno.test("parseDetails() has a health only with a health check, and while it is made", () => {
  const health = (Status: string, status: string): string | undefined =>
    parseDetails({ State: { Status, Health: { Status: status } } }).health;
  assertEquals(health("running", "unhealthy"), "unhealthy");
  assertEquals(health("running", "none"), undefined);
  // What Docker 28.5 and Podman 5.8 answer after a stop.
  assertEquals(health("exited", "unhealthy"), undefined);
  assertEquals(health("exited", "healthy"), undefined);
  assertEquals(health("paused", "healthy"), undefined);
  assertEquals(parseDetails({ State: { Status: "running" } }).health, undefined);
  assertEquals(parseDetails({}).state, "unknown");
});

Deno.test("parseDetails() reads limits as configured", () => {
  const limits = (HostConfig: Record<string, unknown>): unknown => parseDetails({ HostConfig }).limits;
  const none = { cpuRatio: undefined, memoryReservationBytes: undefined, pids: undefined };
  assertEquals(limits({}), none);
  assertEquals(
    limits({ NanoCpus: 0, CpuQuota: -1, CpuPeriod: 0, MemoryReservation: 0, PidsLimit: -1 }),
    none,
  );
  assertEquals(limits({ PidsLimit: null }), none);
  assertEquals(limits({ NanoCpus: 300_000_000, MemoryReservation: 32, PidsLimit: 50 }), {
    cpuRatio: 0.3,
    memoryReservationBytes: 32,
    pids: 50,
  });
  assertEquals(limits({ CpuQuota: 20_000, CpuPeriod: 50_000 }), { ...none, cpuRatio: 0.4 });
  assertEquals(limits({ CpuQuota: 150_000 }), { ...none, cpuRatio: 1.5 });
});

Deno.test("parseDetails() knows of an OOM kill what the engine noted", () => {
  const isOomKilled = (OOMKilled: unknown): boolean | undefined =>
    parseDetails({ State: { OOMKilled } }).isOomKilled;
  assertEquals([isOomKilled(true), isOomKilled(false), isOomKilled(undefined)], [true, false, undefined]);
});

Deno.test("parseStats() counts failures at the memory limit, of which Docker omits 0", () => {
  assertEquals(parse({ memory_stats: { usage: 1, failcnt: 3 } }).memoryFailures, 3);
  assertEquals(parse({ memory_stats: { usage: 1 } }).memoryFailures, 0);
  assertEquals(parse({ memory_stats: {} }).memoryFailures, undefined);
});

Deno.test("parseStats() leaves out what no counter of 64 bits can hold", () => {
  const memory_stats = { usage: 1e308, limit: 2 ** 63 };
  const { memoryUsageBytes, memoryLimitBytes } = parse({ memory_stats });
  assertEquals([memoryUsageBytes, memoryLimitBytes], [undefined, 2 ** 63]);
});
