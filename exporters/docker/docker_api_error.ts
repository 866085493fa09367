/**
 * What can go wrong between the exporter and the engine, and what the operator can do about it.
 *
 * @module
 */
import { shorten } from "./json.ts";

/** Why a request failed. */
export type DockerApiReason =
  /** The system or a missing flag forbids it. */
  | "permission"
  /** Nothing listens. */
  | "missing"
  /** The engine, or what stands before it, answers with an error. */
  | "refused"
  /** The container does not exist. */
  | "gone"
  /** No answer in time. */
  | "timeout"
  /** An answer that is not the API's. */
  | "invalid"
  /** A container that runs, and of which the engine has no statistics. */
  | "no_stats"
  /** An API too old. */
  | "version"
  /** The connection broke. */
  | "connection";

/** A request to the engine that failed. */
export class DockerApiError extends Error {
  override readonly name = "DockerApiError";

  /** The message is for the operator: what is wrong and what to do. */
  constructor(readonly reason: DockerApiReason, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** What the advice depends on. */
export interface ErrorContext {
  /** The engine's address, as the operator gave it. */
  readonly host: string;
  /** Deno's flags that let the exporter reach it. */
  readonly flags: string;
  readonly timeoutMs: number;
}

/** Turns what the requests, node:net and Deno throw into a {@linkcode DockerApiError}. */
export function toDockerApiError(error: unknown, { host, flags, timeoutMs }: ErrorContext): DockerApiError {
  if (error instanceof DockerApiError) return error;
  const { code, statusCode, name, message } = describe(error);
  const fail = (reason: DockerApiReason, advice: string): DockerApiError =>
    new DockerApiError(reason, `Cannot read the Docker Engine at "${host}": ${advice}`, { cause: error });
  if (statusCode === 404) return fail("gone", "the container does not exist any more");
  if (statusCode !== undefined) return fail("refused", refusedAdvice(statusCode, message));
  if (name === "TimeoutError") {
    return fail(
      "timeout",
      `no answer within ${timeoutMs} ms. If it stays so, the engine hangs: see "journalctl -u docker", then ` +
        `restart it; if the engine is only slow, raise "--timeout"`,
    );
  }
  if (name === "NotCapable") {
    const [what = message] = message.split(",");
    return fail("permission", `Deno's permissions do not cover it (${what}): start with "${flags}"`);
  }
  switch (code) {
    case "EACCES":
    case "EPERM":
      return fail("permission", permissionAdvice(host));
    case "ENOENT":
      return fail(
        "missing",
        'there is no such socket. Start the engine ("systemctl start docker"), or name its socket with ' +
          `"--docker-host"`,
      );
    case "ECONNREFUSED":
      return fail("missing", 'nothing listens there. Start the engine ("systemctl start docker")');
  }
  return fail("connection", `the connection broke (${message})`);
}

function permissionAdvice(host: string): string {
  return host.startsWith("unix:")
    ? 'permission denied on the socket. Add the user that runs the exporter to the group that owns it ("usermod ' +
      '-aG docker USER", then log in again; "SupplementaryGroups=docker" in a unit; "group_add" in compose), or ' +
      "put a read-only socket proxy in between"
    : "the system forbids the connection: check the firewall";
}

function refusedAdvice(status: number, message: string): string {
  if (status >= 300 && status < 400) {
    return `it answers ${status}, ${message}, which is not followed: name the engine itself with "--docker-host"`;
  }
  return status === 401 || status === 403
    ? `it answers ${status}. If a socket proxy stands before it, let it pass GET on /version, /containers and ` +
      "/events (CONTAINERS=1 EVENTS=1 VERSION=1)"
    : `it answers ${status} (${message})`;
}

interface Described {
  readonly code: string | undefined;
  readonly statusCode: number | undefined;
  readonly name: string;
  readonly message: string;
}

function describe(error: unknown): Described {
  if (!(error instanceof Error)) {
    return { code: undefined, statusCode: undefined, name: "", message: shorten(String(error)) };
  }
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  return {
    code: typeof code === "string" ? code : undefined,
    statusCode: typeof statusCode === "number" ? statusCode : undefined,
    name: error.name,
    message: shorten(error.message.trim()),
  };
}
