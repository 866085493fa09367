/**
 * The web configuration's file and the certificate files that it names: read, checked, and read again as long as the
 * exporter runs, so that a renewed certificate or a changed password needs no restart.
 *
 * Needs `--allow-read` for each of these files.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { messageOf } from "../errors.ts";
import type { TlsMaterial } from "../http/tls.ts";
import { refusalOf } from "../permissions.ts";
import { parseWebConfig, type PemSource, type WebConfig, WebConfigError } from "./config.ts";
import { checkTlsMaterial } from "./tls_material.ts";

/** What is in force. */
export interface LoadedWebConfig {
  /** What the file holds. */
  readonly config: WebConfig;
  /** The certificates, read and checked; undefined where HTTP is served. */
  readonly tls: TlsMaterial | undefined;
  /** Every file that was read. */
  readonly files: readonly string[];
}

/** Options of {@linkcode WebConfigFile}. */
export interface WebConfigFileOptions {
  /** Reads a file. @default Deno.readTextFile */
  readTextFile?: (path: string) => Promise<string>;
}

/** Largest file that is read, in characters. */
const MAX_LENGTH = 1 << 20;

/** Reads the web configuration. */
export class WebConfigFile {
  readonly #path: string;
  readonly #readTextFile: (path: string) => Promise<string>;
  #texts = "";
  #loaded: LoadedWebConfig | undefined;

  /** Sets it up; nothing runs yet. */
  constructor(path: string, options: WebConfigFileOptions = {}) {
    this.#path = path;
    this.#readTextFile = options.readTextFile ?? Deno.readTextFile;
  }

  /**
   * Reads all files. Returns the same object as the last time when not one of them has changed.
   *
   * @throws {WebConfigError} when they cannot be read or used; the message is a sentence for the operator
   */
  async read(): Promise<LoadedWebConfig> {
    try {
      const text = await this.#readFile(this.#path);
      const config = parseWebConfig(text);
      const { cert, key, clientCa } = config.tls ?? {};
      const sources = [cert, key, clientCa].map((source) => this.#located(source));
      const files = [
        this.#path,
        ...sources.flatMap((source) => source && "file" in source ? source.file : []),
      ];
      await requireGrants(files);
      const pems = await Promise.all(sources.map((source) => this.#textOf(source)));
      const texts = JSON.stringify([text, pems]);
      if (this.#loaded && texts === this.#texts) return this.#loaded;
      const [certPem = "", keyPem = "", clientCaPem] = pems;
      const tls = config.tls && { ...config.tls, cert: certPem, key: keyPem, clientCa: clientCaPem };
      if (tls) checkTlsMaterial(tls);
      this.#texts = texts;
      return this.#loaded = { config, tls, files };
    } catch (error) {
      if (!(error instanceof WebConfigError)) throw error;
      throw new WebConfigError(`Cannot use the web configuration "${this.#path}": ${error.message}`, {
        cause: error,
      });
    }
  }

  /** A file's name counts from the folder of the configuration. */
  #located(source: PemSource | undefined): PemSource | undefined {
    if (!source || "pem" in source || source.file.startsWith("/")) return source;
    return { file: join(dirname(this.#path), source.file) };
  }

  async #textOf(source: PemSource | undefined): Promise<string | undefined> {
    return source && "file" in source ? await this.#readFile(source.file) : source?.pem;
  }

  async #readFile(path: string): Promise<string> {
    let text: string;
    try {
      text = await this.#readTextFile(path);
    } catch (error) {
      throw new WebConfigError(readAdvice(path, error), { cause: error });
    }
    if (text.length > MAX_LENGTH) throw new WebConfigError(`"${path}" is larger than 1 MiB`);
    return text;
  }
}

/** Names every missing grant at once, not one at each start. */
async function requireGrants(files: readonly string[]): Promise<void> {
  const states = await Promise.all(files.map((path) => Deno.permissions.query({ name: "read", path })));
  const missing = files.filter((_, index) => states[index]?.state !== "granted");
  if (missing.length > 0) throw new WebConfigError(grantAdvice(missing));
}

function grantAdvice(files: readonly string[]): string {
  return `the permissions do not cover it: add "--allow-read=${
    files.join(",")
  }", or these paths to the one there is`;
}

function readAdvice(path: string, error: unknown): string {
  switch (refusalOf(error)) {
    case "flag":
      return grantAdvice([path]);
    case "system":
      return `permission denied on "${path}": let the exporter's user read it`;
  }
  if (error instanceof Deno.errors.NotFound) return `there is no file "${path}"`;
  return `"${path}" cannot be read: ${messageOf(error)}`;
}
