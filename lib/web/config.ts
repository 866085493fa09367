/**
 * The web configuration: what `--web.config.file` may hold, in the file format that Prometheus and its exporters
 * share. Every key of that format is either honoured or refused; none is ignored.
 *
 * https://github.com/prometheus/exporter-toolkit/blob/v0.14.0/docs/web-configuration.md
 *
 * @module
 */
import { FAILSAFE_SCHEMA, loadAll, YAMLException } from "js-yaml";
import { CLIENT_AUTH, type ClientAuth, TLS_VERSIONS, type TlsVersion } from "../http/tls.ts";

/** A web configuration that cannot be used; the message gives the reason and never contains a value from the file. */
export class WebConfigError extends Error {
  /** The class, by which it is logged. */
  override readonly name = "WebConfigError";
}

/** A PEM text: in the configuration itself, or in a file. */
export type PemSource = { readonly pem: string } | { readonly file: string };

/** `tls_server_config` */
export interface TlsConfig {
  /** Certificate chain, as PEM. */
  readonly cert: PemSource;
  /** Private key, as PEM. */
  readonly key: PemSource;
  /** Certificates that sign those of clients, as PEM. */
  readonly clientCa: PemSource | undefined;
  /** What is asked of a client. */
  readonly clientAuth: ClientAuth;
  /** Oldest version of TLS. */
  readonly minVersion: TlsVersion;
  /** Newest version of TLS. */
  readonly maxVersion: TlsVersion;
}

/** A web configuration. */
export interface WebConfig {
  /** Without it, HTTP is served. */
  readonly tls: TlsConfig | undefined;
  /** Added to every answer, by name. */
  readonly headers: ReadonlyMap<string, string>;
  /** bcrypt hashes of the passwords by user name; without any, everybody may ask. */
  readonly users: ReadonlyMap<string, string>;
}

/**
 * Largest accepted cost of a password hash: each step doubles the time of a check. Without V8's compiler (`--jitless`)
 * cost 10 takes about two seconds of CPU time, and this one two minutes.
 */
export const MAX_BCRYPT_COST = 16;

/** Allowed headers, with their allowed values where these are fixed. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  "Content-Security-Policy": [],
  "Strict-Transport-Security": [],
  "X-Content-Type-Options": ["nosniff"],
  "X-Frame-Options": ["deny", "sameorigin"],
  "X-XSS-Protection": [],
};

const SECTIONS = ["tls_server_config", "http_server_config", "basic_auth_users"];
const TLS_KEYS = [
  "cert",
  "cert_file",
  "key",
  "key_file",
  "client_ca",
  "client_ca_file",
  "client_auth_type",
  "min_version",
  "max_version",
];

/** Keys of the format that are understood and refused, and why. */
const NOT_OFFERED: Readonly<Record<string, string>> = {
  rate_limit: "the scrapes at once are limited already",
  cipher_suites: "Deno chooses the cipher suites itself, all of them with forward secrecy",
  prefer_server_cipher_suites: "Deno chooses the cipher suites itself, all of them with forward secrecy",
  curve_preferences: "Deno chooses the curves itself",
  client_allowed_sans: 'give the scrapers a CA of their own in "client_ca_file"',
};

type Section = ReadonlyMap<string, unknown>;

/**
 * Parses a web configuration.
 *
 * @throws {WebConfigError} when it is not valid, or asks for something that is not offered
 */
export function parseWebConfig(text: string): WebConfig {
  const root = sectionOf(parseYaml(text), "the file");
  checkKeys(root, "the file", SECTIONS);
  const http = sectionOf(root.get("http_server_config"), "http_server_config");
  checkKeys(http, "http_server_config", ["headers", "http2"]);
  const http2 = textOf(http, "http2");
  if (http2 && http2 !== "false") {
    throw new WebConfigError('"http2" must be false or left out, as HTTP/1.1 alone is offered');
  }
  return {
    tls: parseTls(sectionOf(root.get("tls_server_config"), "tls_server_config")),
    headers: parseHeaders(sectionOf(http.get("headers"), "headers")),
    users: parseUsers(sectionOf(root.get("basic_auth_users"), "basic_auth_users")),
  };
}

/** Returns the document with every scalar as the text it is written as. */
function parseYaml(text: string): unknown {
  try {
    const documents = loadAll(text, { schema: FAILSAFE_SCHEMA });
    if (documents.length <= 1) return documents[0];
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    const place = mark ? `line ${mark.line + 1}, column ${mark.column + 1}` : "the file";
    // What a reason quotes may be a secret.
    throw new WebConfigError(`${place} is not valid YAML: ${reason.replace(/\s*["!:].*$/s, "")}`);
  }
  throw new WebConfigError("it must be one YAML document");
}

/** The value of a key as a mapping; one that is left out or left blank is empty. */
function sectionOf(value: unknown, name: string): Section {
  if (value === undefined || value === "" || value === "~" || value === "null") return new Map();
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new WebConfigError(`${name} must be a mapping of keys to values`);
  }
  return new Map(Object.entries(value));
}

function checkKeys(section: Section, name: string, allowed: readonly string[]): void {
  for (const key of section.keys()) {
    if (allowed.includes(key)) continue;
    const reason = Object.hasOwn(NOT_OFFERED, key) ? NOT_OFFERED[key] : undefined;
    throw new WebConfigError(
      reason
        ? `"${key}" in ${name} is not offered: ${reason}`
        : `${name} has the unknown key ${nameOf(key)}: known are ${allowed.join(", ")}`,
    );
  }
}

/** A name in quotes, unless it could be a secret in the wrong place. */
function nameOf(name: string): string {
  return /^[\w.-]{1,32}$/.test(name) ? `"${name}"` : "(not shown)";
}

/** The text of a key; one that is left blank counts as left out. */
function textOf(section: Section, key: string): string | undefined {
  const value = section.get(key);
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string") throw new WebConfigError(`${nameOf(key)} must be a text`);
  return value;
}

function parseTls(section: Section): TlsConfig | undefined {
  checkKeys(section, "tls_server_config", TLS_KEYS);
  if (section.size === 0) return undefined;
  const cert = pemOf(section, "cert");
  const key = pemOf(section, "key");
  const clientCa = pemOf(section, "client_ca");
  if (!cert) throw new WebConfigError('tls_server_config needs one of "cert" and "cert_file"');
  if (!key) throw new WebConfigError('tls_server_config needs one of "key" and "key_file"');
  const clientAuth = choiceOf(section, "client_auth_type", CLIENT_AUTH, "NoClientCert");
  const { request, verify } = CLIENT_AUTH[clientAuth];
  if (verify && !clientCa) {
    throw new WebConfigError(
      `"client_auth_type: ${clientAuth}" needs one of "client_ca" and "client_ca_file"`,
    );
  }
  if (clientCa && !request) {
    throw new WebConfigError(
      '"client_ca" or "client_ca_file" needs a "client_auth_type", such as RequireAndVerifyClientCert',
    );
  }
  const minVersion = choiceOf(section, "min_version", TLS_VERSIONS, "TLS12");
  const maxVersion = choiceOf(section, "max_version", TLS_VERSIONS, "TLS13");
  if (minVersion > maxVersion) throw new WebConfigError('"min_version" must not be above "max_version"');
  return { cert, key, clientCa, clientAuth, minVersion, maxVersion };
}

function pemOf(section: Section, key: string): PemSource | undefined {
  const pem = textOf(section, key);
  const file = textOf(section, `${key}_file`);
  if (pem && file) throw new WebConfigError(`"${key}" and "${key}_file" exclude each other`);
  if (file) return { file };
  return pem ? { pem } : undefined;
}

function choiceOf<T extends string>(
  section: Section,
  key: string,
  choices: Readonly<Record<T, unknown>>,
  otherwise: T,
): T {
  const text = textOf(section, key);
  if (text === undefined) return otherwise;
  const names = Object.keys(choices) as T[];
  const choice = names.find((name) => name === text);
  if (!choice) throw new WebConfigError(`"${key}" must be one of ${names.join(", ")}`);
  return choice;
}

function parseHeaders(section: Section): Map<string, string> {
  const headers = new Map<string, string>();
  for (const name of section.keys()) {
    const allowed = Object.hasOwn(HEADERS, name) ? HEADERS[name] : undefined;
    if (!allowed) {
      throw new WebConfigError(
        `the header ${nameOf(name)} cannot be set: only ${Object.keys(HEADERS).join(", ")} can`,
      );
    }
    const value = textOf(section, name);
    if (value === undefined) continue;
    if (allowed.length > 0 && !allowed.includes(value)) {
      throw new WebConfigError(`the header "${name}" must be ${allowed.join(" or ")}`);
    }
    if (!/^[\x20-\x7e]+$/.test(value)) {
      throw new WebConfigError(`the header "${name}" must be one line of ASCII text`);
    }
    headers.set(name, value);
  }
  return headers;
}

const BCRYPT_REGEXP = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

function parseUsers(section: Section): Map<string, string> {
  const users = new Map<string, string>();
  for (const user of section.keys()) {
    if (user === "" || user.includes(":")) {
      throw new WebConfigError(
        `the user ${nameOf(user)} cannot log in: a name must have characters, no colon`,
      );
    }
    const hash = textOf(section, user) ?? "";
    const cost = Number(BCRYPT_REGEXP.exec(hash)?.[1]);
    if (!(cost >= 4 && cost <= 31)) {
      throw new WebConfigError(
        `the user ${nameOf(user)} needs a bcrypt hash, as "htpasswd -nBC 10 USER" prints it`,
      );
    }
    if (cost > MAX_BCRYPT_COST) {
      throw new WebConfigError(
        `the hash of the user ${nameOf(user)} has cost ${cost}, and ${MAX_BCRYPT_COST} is the most: ` +
          'make a new one, as "htpasswd -nBC 10 USER" does',
      );
    }
    users.set(user, hash);
  }
  return users;
}
