/**
 * The docker exporter: what `docker stats` shows, and what it hides, of every container.
 *
 * Needs read, write and net permission for the engine's socket, and `--ignore-env` for dockerode, whose parts
 * read the environment when they are loaded.
 *
 * @module
 */
import { runExporter } from "../../lib/exporter.ts";
import type { Exporter, ExporterContext, ExporterProgram } from "../../lib/program.ts";
import { type ParsedFlags, UsageError } from "../../lib/options.ts";
import { PROJECT } from "../catalog.ts";
import { pause, repeat } from "./background.ts";
import { EngineCollector, EventCollector } from "./collector.ts";
import { DockerApi } from "./docker_api.ts";
import { hostPermissions, readTlsFiles } from "./docker_host.ts";
import { EngineReader, WAKE_LEAD_MS } from "./engine_reader.ts";
import { EventCounts } from "./event_counts.ts";
import { EventStream } from "./event_stream.ts";
import { MANIFEST, MAX_CONCURRENCY } from "./manifest.ts";
import { labelsMetric, toLabelName } from "./metrics.ts";
import { DOCKER_PAGE } from "./page.ts";

/** Longest that the start waits for the first reading, so that the first scrape finds one, in milliseconds. */
const FIRST_READING_MS = 2_000;
/** From the first reading to the second, at most, for there is no CPU use before that, in milliseconds. */
const SECOND_READING_MS = 1_000;

/** The docker exporter as a program. */
export const PROGRAM = {
  manifest: MANIFEST,
  project: PROJECT,
  start,
} satisfies ExporterProgram<typeof MANIFEST.flags>;

async function start(
  options: ParsedFlags<typeof MANIFEST.flags>,
  _context: ExporterContext,
): Promise<Exporter> {
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

function readTls(options: ParsedFlags<typeof MANIFEST.flags>): ReturnType<typeof readTlsFiles> | undefined {
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
