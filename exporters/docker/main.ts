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
import type { ParsedFlags } from "../../lib/options.ts";
import { PROJECT } from "../catalog.ts";
import { chooseLabels } from "./chosen_labels.ts";
import { EngineCollector, EventCollector } from "./collector.ts";
import { DockerApi } from "./docker_api.ts";
import { hostPermissions, readTls } from "./docker_host.ts";
import { EngineWatch } from "./engine_watch.ts";
import { MANIFEST, MAX_CONCURRENCY } from "./manifest.ts";
import { DOCKER_PAGE } from "./page.ts";

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
  const tls = readTls(host, options["docker-cert-path"]);
  const chosenLabels = chooseLabels(options["container-label"]);
  const api = new DockerApi({ host, tls, timeoutMs, concurrency: concurrency ?? MAX_CONCURRENCY });
  const watch = new EngineWatch({
    api,
    concurrency,
    isWanted: (name) => (include?.test(name) ?? true) && !exclude?.test(name),
    intervalMs: options.interval,
    timeoutMs,
  });
  await watch.start();
  return {
    collectors: [new EngineCollector(watch, api.durations, chosenLabels), new EventCollector(watch)],
    page: DOCKER_PAGE,
    keep: hostPermissions(host),
    stop: () => watch.stop(),
  };
}

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
