/**
 * The life of an exporter: read flags, start, listen, revoke permissions, serve, stop.
 *
 * Exit codes: 0 after SIGTERM, SIGINT, `--help` and `--version`; 1 when it cannot listen, or not any more;
 * 2 for wrong flags.
 *
 * @module
 */
import { CollectorRunner } from "./collector.ts";
import { type CommandLine, readCommandLine } from "./command_line.ts";
import { permissionDescriptors } from "./grants.ts";
import { helpText } from "./help.ts";
import { History } from "./history.ts";
import { textResponse } from "./http/message.ts";
import { HttpServer } from "./http/server.ts";
import { ServerCollector } from "./http/server_collector.ts";
import { ListenError, listenOn } from "./listen.ts";
import { createLogger, type Logger } from "./log.ts";
import { flushStderr } from "./log_queue.ts";
import { type Flags, formatAddress, UsageError } from "./options.ts";
import { retainPermissions } from "./permissions.ts";
import type { Exporter, ExporterProgram } from "./program.ts";
import { SelfMetrics } from "./self_metrics.ts";
import { createHandler } from "./server.ts";
import type { Web } from "./web/mod.ts";

/** Options of {@linkcode runExporter}. */
export interface RunOptions {
  /** What is simulated, for a demonstration: shown on the page and as `exporter_simulated`. */
  simulated?: string;
  /** The commit that it was compiled from, for `--version`. */
  commit?: string;
}

/** Time that requests in flight have to end after SIGTERM, in milliseconds. */
const STOP_DEADLINE_MS = 700;

/** Time that a source has for the collection at start, in milliseconds. */
const FIRST_DEADLINE_MS = 10_000;

/** Runs an exporter until SIGTERM or SIGINT, and returns the exit code. */
export async function runExporter<F extends Flags>(
  program: ExporterProgram<F>,
  args: readonly string[],
  { simulated, commit }: RunOptions = {},
): Promise<number> {
  const { manifest, project } = program;
  try {
    const commandLine = readCommandLine(manifest, args);
    const { common, options } = commandLine;
    if (common.help) return print(helpText(manifest, project));
    if (common.version) {
      const build = `deno ${Deno.version.deno}${commit ? `, commit ${commit}` : ""}`;
      return print(`${manifest.artifact} ${project.version} (${build})\n`);
    }
    const log = createLogger({ level: common["log.level"], format: common["log.format"] });
    const internal = keepAlive(log);
    const stopped = stopSignal();
    using web = await openWeb(common["web.config.file"], log);
    const exporter = await program.start(options, { log });
    try {
      return await serve({ program, exporter, log, internal, commandLine, web, simulated, stopped });
    } finally {
      await exporter.stop?.();
      await flushStderr();
    }
  } catch (error) {
    if (error instanceof UsageError || error instanceof ListenError) {
      complain(`${manifest.artifact}: ${error.message}\n`);
      return error instanceof UsageError ? 2 : 1;
    }
    // Thrown on, it would be caught by what keeps a serving exporter alive, and this one does not serve.
    complain(`${manifest.artifact}: Cannot go on: ${error instanceof Error ? error.stack : error}\n`);
    return 1;
  }
}

interface ServeOptions {
  readonly program: Pick<ExporterProgram, "manifest" | "project">;
  readonly exporter: Exporter;
  readonly log: Logger;
  readonly internal: Internal;
  readonly commandLine: CommandLine;
  readonly web: Web | undefined;
  readonly simulated: string | undefined;
  /** Resolves on SIGTERM and SIGINT. */
  readonly stopped: Promise<Deno.Signal>;
}

/** Reads the web configuration, if there is one: without it, nothing that it needs is loaded. */
async function openWeb(path: string | undefined, log: Logger): Promise<Web | undefined> {
  if (path === undefined) return undefined;
  const { Web, WebConfigError } = await import("./web/mod.ts");
  try {
    return await Web.open(path, { log });
  } catch (error) {
    if (!(error instanceof WebConfigError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** @throws {ListenError} when it cannot listen, or not any more */
async function serve(options: ServeOptions): Promise<number> {
  const { program, exporter, log, internal, commandLine, web, simulated, stopped } = options;
  const { manifest, project } = program;
  using self = new SelfMetrics({ name: manifest.name, version: project.version, simulated });
  const listeners = listenOn(commandLine.addresses);
  const server = new HttpServer(listeners, {
    onError: (error) => {
      internal.errors++;
      log.error("request failed", { error });
      return textResponse("Internal error\n", 500);
    },
    onShortage: (error) => log.warn("cannot accept a connection", { error }),
    secure: web?.usesTls ? web.secure.bind(web) : undefined,
  });
  const collectors = [...exporter.collectors, new ServerCollector(server, internal), ...(web ? [web] : [])];
  const runners = collectors.map((collector) => new CollectorRunner(collector, log));
  using history = new History(exporter.page.chart.metric, runners);
  const handler = createHandler({
    manifest,
    project,
    runners,
    page: exporter.page,
    self,
    history,
    telemetryPath: commandLine.common["web.telemetry-path"],
    simulated,
    handle: exporter.handle?.bind(exporter),
  });
  if (web) web.onCertificate = () => server.retireConnections();
  server.serve(web?.guard(handler, exporter.openPaths) ?? handler);
  retainPermissions(
    [...exporter.keep ?? [], ...web?.keep ?? []],
    permissionDescriptors(commandLine.grants),
  );
  for (const { addr } of listeners) {
    log.info("listening", {
      exporter: manifest.name,
      version: project.version,
      address: formatAddress(addr),
    });
  }
  // What is wrong with a source is logged at once, not at the first scrape.
  for (const runner of runners) runner.settle(FIRST_DEADLINE_MS);
  for (const [index, { port }] of commandLine.addresses.entries()) {
    const addr = listeners[index]?.addr;
    if (port !== 0 || !addr) continue;
    print(`${JSON.stringify({ exporter: manifest.name, host: addr.hostname, port: addr.port })}\n`);
  }
  log.info("stopping", { signal: await stopped });
  await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, STOP_DEADLINE_MS))]);
  return 0;
}

/** Faults of the exporter itself. */
interface Internal {
  errors: number;
}

/** A fault in answering one client or reading one source must not end the process that watches the others. */
function keepAlive(log: Logger): Internal {
  const internal = { errors: 0 };
  const note = (event: Event, error: unknown): void => {
    event.preventDefault();
    internal.errors++;
    log.error("unexpected failure", { error, stack: error instanceof Error ? error.stack : undefined });
  };
  addEventListener("unhandledrejection", (event) => note(event, event.reason));
  addEventListener("error", (event) => note(event, event.error ?? event.message));
  return internal;
}

function stopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}

const ENCODER = new TextEncoder();

function print(text: string): 0 {
  Deno.stdout.writeSync(ENCODER.encode(text));
  return 0;
}

function complain(text: string): void {
  Deno.stderr.writeSync(ENCODER.encode(text));
}
