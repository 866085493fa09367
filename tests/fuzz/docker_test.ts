/**
 * Random answers of a Docker Engine, near the real shape: readings fail with a message or give pages that
 * parse.
 */
import { assert } from "@std/assert";
import { chooseLabels } from "../../exporters/docker/chosen_labels.ts";
import type { DockerApi } from "../../exporters/docker/docker_api.ts";
import { DockerApiError } from "../../exporters/docker/docker_api_error.ts";
import { EngineReader } from "../../exporters/docker/engine_reader.ts";
import { engineSnapshot } from "../../exporters/docker/engine_snapshot.ts";
import { EventCounts } from "../../exporters/docker/event_counts.ts";
import { parseEvent } from "../../exporters/docker/event_stream.ts";
import { PODMAN_UNSENT_ACTIONS } from "../../exporters/docker/podman.ts";
import { CONTENT_TYPE, Exposition, type Snapshot } from "../../lib/exposition.ts";
import { parseExposition } from "../support/exposition_parser.ts";
import { fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";

const NUMBERS = [0, -0, -1, 1, 0.5, 2 ** 53, 2 ** 64, 1e308, -1e308, 123456789] as const;
const STATES = [
  "running",
  "paused",
  "exited",
  "created",
  "restarting",
  "dead",
  "removing",
  "RUNNING",
  "new",
] as const;

/** Any JSON. */
function randomJson(random: Random, depth = 0): unknown {
  const kind = random.int(0, depth > 3 ? 4 : 6);
  if (kind === 0) return null;
  if (kind === 1) return random.chance(0.5);
  if (kind === 2) return random.pick(NUMBERS);
  if (kind === 3) return random.text(random.int(0, 20)).toWellFormed();
  if (kind === 4) {
    return random.pick([...STATES, "", "0001-01-01T00:00:00Z", "2026-11-23T16:49:50.099080913Z", "x"]);
  }
  if (kind === 5) return random.list(random.int(0, 4), () => randomJson(random, depth + 1));
  return Object.fromEntries(
    random.list(
      random.int(0, 4),
      () => [random.pick(["__proto__", "Id", "op", "value", "x"]), randomJson(random, depth + 1)],
    ),
  );
}

/** The value with some of its parts replaced by anything, left out or repeated. */
function disturb(random: Random, value: unknown, probability: number): unknown {
  if (random.chance(probability)) return randomJson(random);
  if (Array.isArray(value)) {
    const items = value.map((item) => disturb(random, item, probability));
    return random.chance(probability) ? [...items, ...items] : items;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(() => !random.chance(probability));
  return Object.fromEntries(entries.map(([key, item]) => [key, disturb(random, item, probability)]));
}

function randomId(random: Random): string {
  // Few, so that they come twice; two begin alike.
  return random.pick([
    "a".repeat(64),
    `${"a".repeat(60)}bbbb`,
    "b".repeat(64),
    "c".repeat(64),
    "d",
    'é"\\\n',
  ]);
}

function listed(random: Random): unknown {
  return {
    Id: randomId(random),
    Names: random.list(
      random.int(0, 2),
      () => random.pick(["/web", "/proxy/web", "web", "/", '/a"b', "/w\ne"]),
    ),
    Image: "busybox:local",
    State: random.pick(STATES),
    Labels: { "com.docker.compose.project": "p", "a.b": random.pick(["x", 'y"\\\n', ""]) },
  };
}

function details(random: Random): unknown {
  return {
    State: {
      Status: random.pick(STATES),
      StartedAt: "2026-11-23T16:49:50.099080913Z",
      FinishedAt: random.pick(["0001-01-01T00:00:00Z", "2026-11-23T16:50:50Z"]),
      ExitCode: random.int(0, 255),
      Health: { Status: random.pick(["healthy", "starting", "unhealthy", "none", "new"]) },
    },
    HostConfig: {
      NanoCpus: random.pick(NUMBERS),
      CpuQuota: random.pick(NUMBERS),
      PidsLimit: random.pick(NUMBERS),
    },
    RestartCount: random.int(0, 3),
  };
}

function stats(random: Random): unknown {
  const network = (): unknown => ({
    rx_bytes: random.pick(NUMBERS),
    tx_bytes: 1,
    rx_errors: 0,
    tx_dropped: 3,
  });
  return {
    read: `2026-11-23T16:49:${random.int(10, 59)}.099080913Z`,
    cpu_stats: {
      cpu_usage: { total_usage: random.pick(NUMBERS), usage_in_usermode: 1e9, usage_in_kernelmode: 2e9 },
      throttling_data: { periods: 1, throttled_periods: 2, throttled_time: random.pick(NUMBERS) },
    },
    memory_stats: {
      usage: random.pick(NUMBERS),
      limit: random.pick(NUMBERS),
      failcnt: random.pick(NUMBERS),
      stats: { total_inactive_file: random.pick(NUMBERS), inactive_file: 1, cache: 5 },
    },
    networks: { eth0: network(), network: network(), ["__proto__"]: network(), 'e"\\\n': network() },
    blkio_stats: {
      io_service_bytes_recursive: [{ op: "Read", value: 5 }, { op: "write", value: random.pick(NUMBERS) }],
    },
    pids_stats: { current: random.pick(NUMBERS) },
  };
}

/** An engine that answers nonsense, late, or not at all. */
function randomEngine(random: Random, disturbance: number): DockerApi {
  const answer = (value: unknown): Promise<unknown> => {
    if (random.chance(disturbance)) {
      return Promise.reject(
        new DockerApiError(random.pick(["gone", "timeout", "invalid", "refused"]), "As it happens"),
      );
    }
    return Promise.resolve(disturb(random, value, disturbance));
  };
  const object = async (value: unknown): Promise<unknown> => {
    const body = await answer(value);
    return typeof body === "object" && body !== null && !Array.isArray(body) ? body : {};
  };
  const engine = {
    negotiate: () =>
      Promise.resolve({
        name: random.pick(["docker", "podman"]),
        version: random.pick(["x", "4.3.1", "5.8.6"]),
        apiVersion: "1.41",
        os: "linux",
        arch: 'a"\\',
        kernel: "\n",
        hasImmediateStats: true,
      }),
    list: async () => {
      const body = await answer(random.list(random.int(0, 6), () => listed(random)));
      return Array.isArray(body) ? body : [];
    },
    inspect: () => object(details(random)),
    stats: () => object(stats(random)),
    explain(error: unknown): DockerApiError {
      if (error instanceof DockerApiError) return error;
      throw error;
    },
  };
  return engine as unknown as DockerApi;
}

async function checkPages(snapshots: Snapshot[]): Promise<void> {
  for (const format of ["text", "openmetrics"] as const) {
    // As it arrives: half a character of UTF-16 is sent as U+FFFD.
    const bytes = new TextEncoder().encode(await new Exposition().render(snapshots, format));
    const families = parseExposition(new TextDecoder().decode(bytes), CONTENT_TYPE[format]);
    for (const { name, samples } of families.values()) {
      for (const { value } of samples) assert(Number.isFinite(value), `${name} is ${value}`);
    }
  }
}

Deno.test("Random answers of an engine give pages that parse", async () => {
  const names = ["a.b", "com.docker.compose.project"];
  await fuzz("docker", async (random) => {
    const disturbance = random.pick([0, 0.01, 0.05, 0.2]);
    const counts = new EventCounts();
    counts.setUnsent(random.pick([[], PODMAN_UNSENT_ACTIONS]));
    const reader = new EngineReader({
      api: randomEngine(random, disturbance),
      concurrency: 3,
      isWanted: () => !random.chance(0.1),
      hasEvents: () => random.chance(0.5),
    });
    for (let pass = 0; pass < 5; pass++) {
      let snapshots: Snapshot[] = [];
      try {
        const reading = await reader.read();
        counts.setPresent(reading.containers.map(({ listed }) => listed));
        snapshots = [engineSnapshot(reading, chooseLabels(names))];
        for (const { reason, message } of reading.problems) {
          assert(/^[a-z_]+$/.test(reason) && message.length > 10);
        }
      } catch (error) {
        if (!(error instanceof DockerApiError)) throw error;
      }
      for (let events = random.int(0, 5); events > 0; events--) {
        const event = parseEvent(randomEvent(random, disturbance));
        if (event) counts.add(event);
      }
      await checkPages([...snapshots, counts.snapshot(1)]);
    }
  });
});

function randomEvent(random: Random, disturbance: number): string {
  const event = {
    Type: "container",
    Action: random.pick(["die", "oom", "start", "exec_create: x", "health_status: healthy", 'a"b']),
    Actor: {
      ID: randomId(random),
      Attributes: { name: random.pick(["web", "x"]), exitCode: random.pick(["0", "137", "x"]) },
    },
    timeNano: 1_700_000_000_000_000_000,
  };
  const line = JSON.stringify(disturb(random, event, disturbance));
  return random.chance(disturbance) ? random.mutate(line) : line;
}
