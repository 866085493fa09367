/**
 * The life of an exporter: flags, start, listen, give permissions back, serve, stop.
 *
 * Exit codes: 0 after SIGTERM, SIGINT, `--help` and `--version`; 1 when it cannot listen, or not any more;
 * 2 for wrong flags.
 *
 * @module
 */
import { CATALOG, denoFlags, type ExporterName, VERSION } from "../exporters/catalog.ts";
import { type Collector, CollectorRunner } from "./collector.ts";
import { createLogger, LOG_FORMATS, LOG_LEVELS, type Logger } from "./log.ts";
import {
  describeFlags,
  type Flags,
  type ListenAddress,
  oneOf,
  type ParsedFlags,
  parseFlags,
  parseListenAddress,
  parsePort,
  UsageError,
} from "./options.ts";
import type { PageDescription } from "./page.ts";
import { dropPermissions, refusalOf } from "./permissions.ts";
import { SelfMetrics } from "./self_metrics.ts";
import { createHandler } from "./server.ts";
import type { AnswerOptions, FetchHandler } from "./web/fetch_adapter.ts";
import type { Web } from "./web/mod.ts";

/** An exporter that was started: what the server shows of it. */
export interface Exporter {
  readonly collectors: readonly Collector[];
  readonly page: PageDescription;
  /** Permissions that it needs as long as it runs; every other one is given back. */
  readonly keep?: readonly Deno.PermissionDescriptor[];
  /** Routes of its own, asked before the common ones; undefined: not one of them. */
  handle?(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Response | Promise<Response> | undefined;
  /** Paths among these routes that need no password where a web configuration asks for one. */
  readonly openPaths?: readonly string[];
  /** Listens in place of `Deno.serve`, where no web configuration asks for TLS. */
  listen?(options: ListenOptions): Server | Promise<Server>;
  /** Ends what it does in the background. */
  stop?(): void | Promise<void>;
}

/** What a server needs. */
export interface ListenOptions extends ListenAddress, AnswerOptions {}

/** What an exporter is started with. */
export interface ExporterContext {
  readonly log: Logger;
  readonly simulated: boolean;
}

/** An exporter as a program. */
export interface ExporterProgram<F extends Flags = Flags> {
  readonly name: ExporterName;
  /** What it does, in a sentence, for `--help`. */
  readonly summary: string;
  /** Its flags beyond those that every exporter has. */
  readonly flags: F;
  /** Starts it. @throws {UsageError} when flags do not go together */
  start(options: ParsedFlags<F>, context: ExporterContext): Exporter | Promise<Exporter>;
}

/** Options of {@linkcode runExporter}. */
export interface RunOptions {
  /** What is simulated, for a demonstration: shown on the page and as `exporter_simulated`. */
  simulated?: string;
  /** The commit that it was compiled from, for `--version`. */
  commit?: string;
}

const COMMON_FLAGS = {
  "port": {
    placeholder: "N",
    help: "TCP port to listen on; 0 takes a free one and prints it",
    parse: parsePort,
  },
  "host": { placeholder: "ADDR", help: "address to listen on (default 0.0.0.0)" },
  "web.listen-address": {
    placeholder: "HOST:PORT",
    help: "the same in one, in place of --port and --host",
    parse: parseListenAddress,
  },
  "web.telemetry-path": {
    placeholder: "PATH",
    help: "path of the metrics page",
    parse: parsePath,
    default: "/metrics",
  },
  "web.config.file": {
    placeholder: "FILE",
    help: "TLS, basic auth and headers, in the format of Prometheus's own exporters",
  },
  "log.level": {
    placeholder: "LEVEL",
    help: LOG_LEVELS.join(", "),
    parse: oneOf(LOG_LEVELS),
    default: "info",
  },
  "log.format": {
    placeholder: "FORMAT",
    help: LOG_FORMATS.join(", "),
    parse: oneOf(LOG_FORMATS),
    default: "logfmt",
  },
  "version": { help: "print the version and exit" },
  "help": { help: "print this and exit" },
} as const satisfies Flags;

/** Time that requests in flight have to end once the exporter is told to stop, in milliseconds. */
const STOP_DEADLINE_MS = 700;

/** Time that a source has for the collection at start, in milliseconds. */
const FIRST_DEADLINE_MS = 10_000;

/** Runs an exporter until it is told to stop, and returns the exit code. */
export async function runExporter<F extends Flags>(
  program: ExporterProgram<F>,
  args: readonly string[],
  { simulated, commit }: RunOptions = {},
): Promise<number> {
  const { artifact } = CATALOG[program.name];
  try {
    const flags = { ...program.flags, ...COMMON_FLAGS };
    const parsed = parseFlags(args, flags);
    // The rest of this function knows the common flags' types, the program knows its own.
    const common = parsed as unknown as ParsedFlags<typeof COMMON_FLAGS>;
    if (common.help) return print(helpText(program, flags));
    if (common.version) {
      const build = `deno ${Deno.version.deno}${commit ? `, commit ${commit}` : ""}`;
      return print(`${artifact} ${VERSION} (${build})\n`);
    }
    const log = createLogger({ level: common["log.level"], format: common["log.format"] });
    const address = listenAddress(program.name, common);
    keepAlive(log);
    const stopped = stopSignal();
    using web = await openWeb(common["web.config.file"], log);
    const exporter = await program.start(parsed, { log, simulated: simulated !== undefined });
    return await serve({
      program,
      exporter,
      log,
      address,
      telemetryPath: common["web.telemetry-path"],
      web,
      simulated,
      stopped,
    });
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${artifact}: ${error.message}\n`);
      return 2;
    }
    // Thrown on, it would be caught by what keeps a serving exporter alive, and this one does not serve.
    complain(`${artifact}: Cannot go on: ${error instanceof Error ? error.stack : error}\n`);
    return 1;
  }
}

interface ServeOptions {
  readonly program: ExporterProgram<never>;
  readonly exporter: Exporter;
  readonly log: Logger;
  readonly address: ListenAddress;
  readonly telemetryPath: string;
  readonly web: Web | undefined;
  readonly simulated: string | undefined;
  /** Resolves when the exporter is told to stop. */
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

async function serve(
  options: Omit<ServeOptions, "program"> & { program: { name: ExporterName } },
): Promise<number> {
  const { program, exporter, log, address, telemetryPath, web, simulated, stopped } = options;
  const { artifact } = CATALOG[program.name];
  using self = new SelfMetrics(program.name, simulated !== undefined);
  const collectors = web ? [...exporter.collectors, web] : exporter.collectors;
  const runners = collectors.map((collector) => new CollectorRunner(collector, log));
  const handler = createHandler({
    name: program.name,
    runners,
    page: exporter.page,
    self,
    telemetryPath,
    simulated,
    handle: exporter.handle?.bind(exporter),
  });
  const server = await listen(
    address,
    log,
    web?.guard(handler, exporter.openPaths) ?? handler,
    web?.usesTls ? web.listen.bind(web) : exporter.listen?.bind(exporter),
  );
  if (server instanceof Error) {
    complain(`${artifact}: ${server.message}\n`);
    await exporter.stop?.();
    return 1;
  }
  dropPermissions([...exporter.keep ?? [], ...web?.keep ?? []], [{
    name: "net",
    host: formatAddress(address),
  }]);
  log.info("listening", { exporter: program.name, version: VERSION, address: formatAddress(server.addr) });
  // What is wrong with a source is told at once, not at the first scrape.
  for (const runner of runners) runner.settle(FIRST_DEADLINE_MS);
  if (address.port === 0) {
    print(
      `${JSON.stringify({ exporter: program.name, host: server.addr.hostname, port: server.addr.port })}\n`,
    );
  }
  const reason = await Promise.race([stopped, acceptFailure(server)]);
  if (reason instanceof Error) {
    complain(`${artifact}: ${reason.message}\n`);
    await exporter.stop?.();
    return 1;
  }
  log.info("stopping", { signal: reason });
  await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, STOP_DEADLINE_MS))]);
  await exporter.stop?.();
  return 0;
}

/** What serves: `finished` rejects when it cannot go on. */
export type Server =
  & Pick<Deno.HttpServer<Deno.NetAddr>, "addr" | "shutdown">
  & Partial<Pick<Deno.HttpServer, "finished">>;

/**
 * Resolves when no connection can be accepted any more: one failure, for want of a file descriptor, ends
 * `Deno.serve`, and to listen again would take the permission that was given back. An exporter that nobody
 * can reach must end, so that it is started again.
 */
function acceptFailure(server: Server): Promise<Error> {
  return new Promise((resolve) => {
    server.finished?.catch((error) =>
      resolve(
        new Error(
          `Cannot accept connections any more: ${error instanceof Error ? error.message : error}: start it ` +
            'again, with more file descriptors where they ran out ("ulimit -n", LimitNOFILE= in its unit)',
        ),
      )
    );
  });
}

/** Starts to listen, or returns what stands in the way, in words. */
async function listen(
  address: ListenAddress,
  log: Logger,
  handler: FetchHandler,
  own: Exporter["listen"],
): Promise<Server | Error> {
  const onError = (error: unknown): Response => {
    log.error("request failed", { error });
    return new Response("Internal error\n", { status: 500 });
  };
  try {
    if (own) return await own({ ...address, handler, onError });
    const { hostname, port } = address;
    return Deno.serve({ hostname, port, onListen: () => {}, onError }, handler);
  } catch (error) {
    return new Error(
      `Cannot listen on "${formatAddress(address)}": ${listenAdvice(address, error)}`,
    );
  }
}

/** As Deno's flags and URLs spell it: an IPv6 address in brackets. */
function formatAddress({ hostname, port }: ListenAddress): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function listenAdvice(address: ListenAddress, error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return 'another program listens there: stop it, or choose another port with "--port"';
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return 'this machine has no such address: change "--host"';
  }
  switch (refusalOf(error)) {
    case "flag":
      return `the permissions do not cover it: start with "--allow-net=${formatAddress(address)}"`;
    case "system":
      return "the system forbids it: ports below 1024 need CAP_NET_BIND_SERVICE";
  }
  return error instanceof Error ? error.message : String(error);
}

function listenAddress(name: ExporterName, options: ParsedFlags<typeof COMMON_FLAGS>): ListenAddress {
  const whole = options["web.listen-address"];
  if (whole && (options.port !== undefined || options.host !== undefined)) {
    throw new UsageError(
      'Cannot use "--web.listen-address" together with "--port" or "--host": give one or the other',
    );
  }
  return whole ?? { hostname: options.host ?? "0.0.0.0", port: options.port ?? CATALOG[name].port };
}

function parsePath(text: string): string {
  if (!/^\/[\w./-]+$/.test(text) || /^\/(?:health|page\.css|page\.js|-\/.*)$/.test(text)) {
    throw new RangeError('must be a path such as "/metrics" that is not taken by another page');
  }
  return text;
}

/** A fault in answering one client or reading one source must not end the process that watches the others. */
function keepAlive(log: Logger): void {
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("unexpected failure", { error: event.reason, stack: event.reason?.stack });
  });
}

function stopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}

function helpText(program: { name: ExporterName; summary: string }, flags: Flags): string {
  const { artifact, port } = CATALOG[program.name];
  const flagsOfDeno = denoFlags(program.name);
  const permissions = flagsOfDeno.filter((flag) => !flag.startsWith("--v8-flags"));
  return `${artifact} ${VERSION}: ${program.summary}

Usage: ${artifact} [FLAGS]

${describeFlags(flags)}

Permissions it needs:
${permissions.map((flag) => `  ${flag}`).join("\n")}

Example:
  deno run ${flagsOfDeno.join(" ")} exporters/${program.name}/main.ts
  curl http://127.0.0.1:${port}/metrics
`;
}

const ENCODER = new TextEncoder();

function print(text: string): 0 {
  Deno.stdout.writeSync(ENCODER.encode(text));
  return 0;
}

function complain(text: string): void {
  Deno.stderr.writeSync(ENCODER.encode(text));
}
