/**
 * What `--web.config.file` brings: TLS, basic authentication and headers around an exporter's handler. This folder is
 * loaded only when the flag is given.
 *
 * @module
 */
import { STATUS_CODE } from "@std/http/status";
import type { Collection, Collector, Problem } from "../collector.ts";
import { messageOf } from "../errors.ts";
import { type MetricDefinition, Snapshot } from "../exposition.ts";
import type { Transport } from "../http/byte_source.ts";
import { type HttpHandler, type HttpRequest, type HttpResponse, textResponse } from "../http/message.ts";
import { TlsLayer } from "../http/tls.ts";
import type { Logger } from "../log.ts";
import { BasicAuth, type Verdict } from "./basic_auth.ts";
import { WebConfigError } from "./config.ts";
import { type LoadedWebConfig, WebConfigFile, type WebConfigFileOptions } from "./config_file.ts";
import { PasswordChecks } from "./password_checks.ts";
import { expiryMs } from "./tls_material.ts";
import { weakening } from "./weakening.ts";

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
  /** Where it logs. */
  readonly log: Logger;
  /** How often the files are read; a change counts when two readings agree, in milliseconds. @default {1000} */
  readonly reloadPeriodMs?: number;
}

/**
 * A web configuration in force. As a collector it reports whether its files can be used as they are now; while they
 * cannot, what was read last stays in force.
 */
export class Web implements Collector, Disposable {
  readonly source = "web_config";
  readonly #file: WebConfigFile;
  readonly #log: Logger;
  readonly #auth = new BasicAuth(new PasswordChecks());
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #tls: TlsLayer | undefined;
  #loaded: LoadedWebConfig;
  /** What was read last: in force once it is read a second time, for a file may be half-written. */
  #candidate: LoadedWebConfig;
  #collection: Collection;
  #reloading = false;
  /** Called when connections with an old certificate should end. */
  onCertificate = (): void => {};

  private constructor(file: WebConfigFile, loaded: LoadedWebConfig, options: WebOptions) {
    this.#file = file;
    this.#log = options.log;
    this.#loaded = this.#candidate = loaded;
    this.#tls = loaded.tls && new TlsLayer(loaded.tls);
    this.#collection = describe(loaded);
    this.#auth.setUsers(loaded.config.users);
    this.#timer = setInterval(() => this.#reload(), options.reloadPeriodMs ?? 1000);
    Deno.unrefTimer(this.#timer);
  }

  /** Reads the configuration. @throws {WebConfigError} when it cannot be used */
  static async open(path: string, options: WebOptions): Promise<Web> {
    const file = new WebConfigFile(path, options);
    return new Web(file, await file.read(), options);
  }

  /** Whether it asks for TLS, so that each connection is to be {@linkcode secure}d. */
  get usesTls(): boolean {
    return this.#tls !== undefined;
  }

  /** The permissions that reading the files again needs. */
  get keep(): Deno.PermissionDescriptor[] {
    return this.#loaded.files.map((path) => ({ name: "read", path }));
  }

  /** Sets TLS on top of a connection. @throws {Error} when the handshake fails */
  async secure(connection: Transport, client: string): Promise<Transport> {
    if (!this.#tls) throw new TypeError("Cannot use TLS: the web configuration has none");
    try {
      return await this.#tls.secure(connection);
    } catch (error) {
      this.#log.debug("TLS handshake failed", { client, error: explainHandshake(error) });
      throw error;
    }
  }

  /**
   * Returns the handler behind the users' passwords, its answers with the configured headers. `/health` and its like
   * are open, and so are `openPaths`; who shows no password is a stranger to them.
   */
  guard(handler: HttpHandler, openPaths: readonly string[] = []): HttpHandler {
    const open = new Set([...OPEN_PATHS, ...openPaths]);
    return async (request) => {
      const { users, headers } = this.#loaded.config;
      const verdict = users.size === 0 ? "admitted" : await this.#verdict(request);
      const response = verdict === "admitted" || open.has(request.path)
        ? await handler(verdict === "admitted" ? request : { ...request, isStranger: true })
        : REFUSALS[verdict];
      return headers.size === 0
        ? response
        : { ...response, headers: { ...response.headers, ...this.#headers() } };
    };
  }

  /** The configured headers, by lower-case name. */
  #headers(): Record<string, string> {
    return Object.fromEntries(
      [...this.#loaded.config.headers].map(([name, value]) => [name.toLowerCase(), value]),
    );
  }

  /** Whether the files can be used as they are now. */
  collect(): Collection {
    return this.#collection;
  }

  /** Stops looking at the files. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #verdict({ headers, client }: HttpRequest): Promise<Verdict> {
    return this.#auth.check({ authorization: headers.get("authorization") ?? null, client });
  }

  /** Reads the files. A new collection is made only when it differs, so that the page can be reused. */
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
      if (loaded === this.#loaded) return undefined;
      const isSettled = loaded === this.#candidate;
      this.#candidate = loaded;
      const weaker = weakening(this.#loaded.config, loaded.config);
      if (weaker) {
        throw new WebConfigError(
          `Cannot weaken the web configuration at run time: ${weaker}: restore the file, or restart the exporter`,
        );
      }
      if (isSettled) this.#apply(loaded);
      return undefined;
    } catch (error) {
      if (!(error instanceof WebConfigError)) throw error;
      return { reason: "invalid", message: `${error.message}; what was read before stays in force` };
    }
  }

  #apply(loaded: LoadedWebConfig): void {
    this.#loaded = loaded;
    this.#collection = describe(loaded);
    this.#auth.setUsers(loaded.config.users);
    if (loaded.tls) {
      this.#tls?.use(loaded.tls);
      this.onCertificate();
    }
    this.#log.info("web configuration changed", { tls: this.usesTls, users: loaded.config.users.size });
  }
}

/** The answers to those who may not go on. */
const REFUSALS: Readonly<Record<Exclude<Verdict, "admitted">, HttpResponse>> = {
  refused: textResponse("Unauthorized\n", STATUS_CODE.Unauthorized, { "www-authenticate": CHALLENGE }),
  busy: textResponse("Too many passwords to check\n", STATUS_CODE.ServiceUnavailable, { "retry-after": "1" }),
};

/** Why a handshake failed, with advice where OpenSSL's makers of certificates are easily misled. */
function explainHandshake(error: unknown): string {
  const message = messageOf(error);
  return /version/i.test(message) && /cert/i.test(message)
    ? `${message}: a client certificate must be X.509 version 3: "openssl x509 -req" makes one with -extfile`
    : message;
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
      message: `The certificate that is shown to clients expired on ${day}: renew it`,
    });
  }
  return { up: invalid === undefined, snapshot, problems };
}
