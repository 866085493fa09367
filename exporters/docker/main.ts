/**
 * The docker exporter: what `docker stats` shows, and what it hides, of every container.
 *
 * Needs read, write and net permission for the engine's socket, and `--ignore-env` for dockerode, whose parts
 * read the environment when they are loaded.
 *
 * @module
 */
import {
  type Exporter,
  type ExporterContext,
  type ExporterProgram,
  runExporter,
} from "../../lib/exporter.ts";
import { type Flags, type ParsedFlags, parseDurationMs, UsageError } from "../../lib/options.ts";
import { pause, repeat } from "./background.ts";
import { EngineCollector, EventCollector } from "./collector.ts";
import { DockerApi } from "./docker_api.ts";
import { DEFAULT_DOCKER_HOST, hostPermissions, parseDockerHost, readTlsFiles } from "./docker_host.ts";
import { EngineReader, MAX_CONCURRENCY, WAKE_LEAD_MS } from "./engine_reader.ts";
import { EventCounts } from "./event_counts.ts";
import { EventStream } from "./event_stream.ts";
import { labelsMetric, toLabelName } from "./metrics.ts";
import { DOCKER_PAGE } from "./page.ts";

const FLAGS = {
  "docker-host": {
    placeholder: "URL",
    help: "where the engine is: unix:///PATH or tcp://HOST:PORT",
    parse: parseDockerHost,
    default: DEFAULT_DOCKER_HOST,
  },
  "docker-cert-path": {
    placeholder: "DIR",
    help: "folder with ca.pem, cert.pem and key.pem for an engine that wants TLS",
  },
  "interval": {
    placeholder: "TIME",
    help: "time from one reading of the engine to the next",
    parse: parseDurationMs,
    default: "5s",
  },
  "timeout": {
    placeholder: "TIME",
    help: "longest that one request to the engine may take",
    parse: parseDurationMs,
    default: "5s",
  },
  "concurrency": {
    placeholder: "N",
    help: `requests to the engine at once, at most (default ${MAX_CONCURRENCY}, from Docker 25 on 16)`,
    parse: parseConcurrency,
  },
  "container-label": {
    placeholder: "NAME",
    help: "label of the containers to publish in docker_container_labels",
    repeatable: true,
  },
  "include": {
    placeholder: "REGEXP",
    help: "only containers whose name matches",
    parse: parseRegExp,
  },
  "exclude": {
    placeholder: "REGEXP",
    help: "not the containers whose name matches",
    parse: parseRegExp,
  },
} as const satisfies Flags;

/** Longest that the start waits for the first reading, so that the first scrape finds one, in milliseconds. */
const FIRST_READING_MS = 2_000;
/** From the first reading to the second, at most, for there is no CPU use before that, in milliseconds. */
const SECOND_READING_MS = 1_000;

function parseConcurrency(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > 1000) throw new RangeError("must be 1 to 1000");
  return number;
}

function parseRegExp(text: string): RegExp {
  try {
    return new RegExp(text, "u");
  } catch (cause) {
    const [, why = "it does not parse"] = /: ([^:]+)$/.exec(cause instanceof Error ? cause.message : "") ??
      [];
    throw new TypeError(`must be a regular expression (${why})`, { cause });
  }
}

/** The docker exporter as a program. */
export const PROGRAM = {
  name: "docker",
  summary: "CPU, memory, network, block I/O, state and events of the containers of a Docker Engine",
  flags: FLAGS,
  start,
} satisfies ExporterProgram<typeof FLAGS>;

async function start(options: ParsedFlags<typeof FLAGS>, _context: ExporterContext): Promise<Exporter> {
  const { "docker-host": host, timeout: timeoutMs, concurrency, include, exclude } = options;
  const isWanted = (name: string): boolean => (include?.test(name) ?? true) && !exclude?.test(name);
  const stopping = new AbortController();
  const api = new DockerApi({
    host,
    tls: readTls(options),
    timeoutMs,
    concurrency: concurrency ?? MAX_CONCURRENCY,
  });
  const counts = new EventCounts();
  const events = new EventStream({
    api,
    onEvent: (event) => {
      if (!isWanted(event.name)) return;
      counts.add(event);
      reader.invalidate(event.id);
    },
    onConnect: () => reader.invalidateAll(),
  });
  const reader = new EngineReader({ api, concurrency, isWanted, hasEvents: () => events.isConnected });
  const engine = new EngineCollector({
    api,
    reader,
    events,
    counts,
    chosenLabels: chooseLabels(options["container-label"]),
    intervalMs: options.interval,
    timeoutMs,
  });
  const { signal } = stopping;
  const before = { leadMs: WAKE_LEAD_MS, call: () => reader.wake() };
  const following = events.follow(signal);
  const first = engine.refresh();
  const reading = first.then(() => pause(Math.min(options.interval, SECOND_READING_MS), signal))
    .then(() => repeat(() => engine.refresh(), { intervalMs: options.interval, before, signal }));
  await Promise.race([first, pause(FIRST_READING_MS, signal)]);
  return {
    collectors: [engine, new EventCollector(events, counts)],
    page: DOCKER_PAGE,
    keep: hostPermissions(host),
    stop: async () => {
      stopping.abort();
      api.close();
      await Promise.allSettled([following, reading]);
    },
  };
}

function readTls(options: ParsedFlags<typeof FLAGS>): ReturnType<typeof readTlsFiles> | undefined {
  const { "docker-host": host, "docker-cert-path": folder } = options;
  if (folder === undefined) return undefined;
  if ("socketPath" in host) {
    throw new UsageError(
      `Cannot use "--docker-cert-path" with a unix socket: "--docker-host" must be "tcp://HOST:PORT"`,
    );
  }
  try {
    return readTlsFiles(folder);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function chooseLabels(
  names: readonly string[],
): ConstructorParameters<typeof EngineCollector>[0]["chosenLabels"] {
  const unique = [...new Set(names)];
  const clash = unique.find((name, index) =>
    unique.findIndex((other) => toLabelName(other) === toLabelName(name)) < index
  );
  if (clash !== undefined) {
    throw new UsageError(
      `Cannot use "--container-label=${clash}" as another label becomes "${
        toLabelName(clash)
      }" too: choose one`,
    );
  }
  return unique.length > 0 ? { names: unique, metric: labelsMetric(unique) } : undefined;
}

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
