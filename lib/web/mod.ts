/**
 * What `--web.config.file` brings: TLS, basic authentication and headers around an exporter's handler. This folder is
 * loaded only when the flag is given.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { Collection, Collector, Problem } from "../collector.ts";
import { type MetricDefinition, Snapshot } from "../exposition.ts";
import type { Logger } from "../log.ts";
import { BasicAuth } from "./basic_auth.ts";
import { WebConfigError } from "./config.ts";
import { type LoadedWebConfig, WebConfigFile, type WebConfigFileOptions } from "./config_file.ts";
import type { FetchHandler } from "./fetch_adapter.ts";
import { PasswordChecks } from "./password_checks.ts";
import { expiryMs } from "./tls_material.ts";
import { TlsServer, type TlsServerOptions } from "./tls_server.ts";

export { WebConfigError };

/** Open to everybody: what asks whether an exporter is alive holds no password. */
const OPEN_PATHS = ["/health", "/-/healthy", "/-/ready"];
const CHALLENGE = 'Basic realm="exporter", charset="UTF-8"';

/** What the collector publishes. */
export const WEB_METRICS = {
  expiry: {
    name: "exporter_certificate_expiry_timestamp_seconds",
    type: "gauge",
    help: "Unix time at which the certificate that this exporter shows ends, in seconds.",
  },
} as const satisfies Record<string, MetricDefinition>;

/** Options of {@linkcode Web.open}. */
export interface WebOptions extends WebConfigFileOptions {
  readonly log: Logger;
  /** How often the files are looked at, in milliseconds. @default {2000} */
  readonly reloadPeriodMs?: number;
}

/**
 * A web configuration in force. As a collector it tells whether its files can be used as they are now; while they
 * cannot, what was read last stays in force.
 */
export class Web implements Collector, Disposable {
  readonly source = "web_config";
  readonly #file: WebConfigFile;
  readonly #log: Logger;
  readonly #auth = new BasicAuth(new PasswordChecks());
  readonly #timer: ReturnType<typeof setInterval>;
  #loaded: LoadedWebConfig;
  #server: TlsServer | undefined;
  #collection: Collection;
  #reloading = false;

  private constructor(file: WebConfigFile, loaded: LoadedWebConfig, options: WebOptions) {
    this.#file = file;
    this.#log = options.log;
    this.#loaded = loaded;
    this.#collection = describe(loaded);
    this.#auth.setUsers(loaded.config.users);
    this.#timer = setInterval(() => this.#reload(), options.reloadPeriodMs ?? 2000);
    Deno.unrefTimer(this.#timer);
  }

  /** Reads the configuration. @throws {WebConfigError} when it cannot be used */
  static async open(path: string, options: WebOptions): Promise<Web> {
    const file = new WebConfigFile(path, options);
    return new Web(file, await file.read(), options);
  }

  /** Whether it asks for TLS, so that {@linkcode listen} takes the place of `Deno.serve`. */
  get usesTls(): boolean {
    return this.#loaded.tls !== undefined;
  }

  /** The permissions that reading the files again needs. */
  get keep(): Deno.PermissionDescriptor[] {
    return this.#loaded.files.map((path) => ({ name: "read", path }));
  }

  /** Listens with TLS. @throws {Error} one of `Deno.errors`, as `Deno.serve` does, when it cannot */
  listen(options: Omit<TlsServerOptions, "material" | "log">): TlsServer {
    const { tls } = this.#loaded;
    if (!tls) throw new TypeError("Cannot listen with TLS: the web configuration has none");
    return this.#server = new TlsServer({ ...options, material: tls, log: this.#log });
  }

  /**
   * Returns the handler behind the users' passwords, its answers with the configured headers.
   * `/health` and its like are open, and so are `openPaths`.
   */
  guard(handler: FetchHandler, openPaths: readonly string[] = []): FetchHandler {
    const open = new Set([...OPEN_PATHS, ...openPaths]);
    return async (request, info) => {
      const isOpen = this.#loaded.config.users.size === 0 || open.has(new URL(request.url).pathname);
      const refusal = isOpen ? undefined : await this.#refusal(request, info);
      const response = refusal ?? await handler(request, info);
      for (const [name, value] of this.#loaded.config.headers) response.headers.set(name, value);
      return response;
    };
  }

  /** Whether the files can be used as they are now. */
  collect(): Collection {
    return this.#collection;
  }

  /** Stops looking at the files. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** The answer to a client that may not go on. */
  async #refusal(
    request: Request,
    { remoteAddr }: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Promise<Response | undefined> {
    const verdict = await this.#auth.check({
      authorization: request.headers.get("authorization"),
      client: remoteAddr.hostname,
    });
    switch (verdict) {
      case "admitted":
        return undefined;
      case "refused":
        return new Response("Unauthorized\n", {
          status: STATUS_CODE.Unauthorized,
          headers: { "www-authenticate": CHALLENGE },
        });
      case "busy":
        return new Response("Too many passwords to check\n", {
          status: STATUS_CODE.ServiceUnavailable,
          headers: { "retry-after": "1" },
        });
    }
  }

  /** Looks at the files. A new collection is made only when it differs, so that the page can be reused. */
  async #reload(): Promise<void> {
    if (this.#reloading) return;
    this.#reloading = true;
    try {
      const invalid = await this.#readAgain();
      const collection = describe(this.#loaded, invalid);
      if (JSON.stringify(collection.problems) !== JSON.stringify(this.#collection.problems)) {
        this.#collection = collection;
      }
    } finally {
      this.#reloading = false;
    }
  }

  async #readAgain(): Promise<Problem | undefined> {
    try {
      const loaded = await this.#file.read();
      if (loaded !== this.#loaded) this.#apply(loaded);
      return undefined;
    } catch (error) {
      if (!(error instanceof WebConfigError)) throw error;
      return { reason: "invalid", message: `${error.message}; what was read before stays in force` };
    }
  }

  #apply(loaded: LoadedWebConfig): void {
    if ((loaded.tls === undefined) !== (this.#loaded.tls === undefined)) {
      throw new WebConfigError("Cannot begin or end to use TLS while running: restart the exporter");
    }
    this.#loaded = loaded;
    this.#collection = describe(loaded);
    this.#auth.setUsers(loaded.config.users);
    if (loaded.tls) this.#server?.use(loaded.tls);
    this.#log.info("web configuration changed", { tls: this.usesTls, users: loaded.config.users.size });
  }
}

function describe({ tls }: LoadedWebConfig, invalid?: Problem): Collection {
  const snapshot = new Snapshot();
  const problems = invalid ? [invalid] : [];
  const expiry = tls && expiryMs(tls);
  if (expiry !== undefined) snapshot.add(WEB_METRICS.expiry, expiry / 1000);
  if (expiry !== undefined && expiry < Date.now()) {
    const day = new Date(expiry).toISOString();
    problems.push({
      reason: "expired",
      message: `The certificate that is shown to clients ended on ${day}: renew it`,
    });
  }
  return { up: invalid === undefined, snapshot, problems };
}
