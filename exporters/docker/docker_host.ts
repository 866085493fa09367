/**
 * Where the engine is: a unix socket, TCP, or TCP with TLS, named the way `DOCKER_HOST` and
 * `DOCKER_CERT_PATH` name it.
 *
 * https://docs.docker.com/engine/security/protect-access/
 *
 * @module
 */
import { type Grants, permissionDescriptors, permissionFlags } from "../../lib/grants.ts";
import { UsageError } from "../../lib/options.ts";

/** Where the engine of a plain installation listens; on most systems /var/run is a link to /run. */
export const DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock";

/** A parsed `--docker-host`. */
export type DockerHost =
  | { readonly name: string; readonly socketPath: string }
  | { readonly name: string; readonly hostname: string; readonly port: number; readonly tls: boolean };

const URL_REGEXP = /^(tcp|https?):\/\/(\[[0-9a-f:]+\]|[\w.-]+)(?::(\d+))?\/?$/i;

/**
 * Parses `unix:///PATH` or `tcp://HOST:PORT`.
 *
 * @throws {RangeError} when it is neither
 */
export function parseDockerHost(text: string): DockerHost {
  if (/^unix:\/\/\/[^\0]+$/.test(text)) return { name: text, socketPath: text.slice("unix://".length) };
  const [, scheme, hostname, port] = URL_REGEXP.exec(text) ?? [];
  if (hostname === undefined || Number(port) > 65_535) {
    throw new RangeError('must be "unix:///PATH" or "tcp://HOST:PORT"');
  }
  const tls = scheme === "https" || port === "2376";
  return { name: text, hostname, port: Number(port ?? (tls ? 2376 : 2375)), tls };
}

/** What speaking to the engine takes as long as the exporter runs. */
export function hostGrants(host: DockerHost): Grants {
  if (!("socketPath" in host)) return { net: [`${host.hostname}:${host.port}`] };
  const { socketPath } = host;
  return { read: [socketPath], write: [socketPath], net: [`unix:${socketPath}`] };
}

/** The same as descriptors. */
export function hostPermissions(host: DockerHost): Deno.PermissionDescriptor[] {
  return permissionDescriptors(hostGrants(host));
}

/** The same as flags of Deno's. */
export function hostPermissionFlags(host: DockerHost): string {
  return permissionFlags(hostGrants(host)).join(" ");
}

/** The certificates of a TLS connection, as PEM. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads `ca.pem`, `cert.pem` and `key.pem` in a folder; without a folder there are none.
 *
 * @throws {UsageError} naming the file that cannot be read, or when the engine is on a unix socket
 */
export function readTls(host: DockerHost, folder: string | undefined): TlsFiles | undefined {
  if (folder === undefined) return undefined;
  if ("socketPath" in host) {
    throw new UsageError(
      `Cannot use "--docker-cert-path" with a unix socket: "--docker-host" must be "tcp://HOST:PORT"`,
    );
  }
  const read = (name: string): string => {
    const path = `${folder.replace(/\/$/, "")}/${name}`;
    try {
      return Deno.readTextFileSync(path);
    } catch (cause) {
      const advice = cause instanceof Deno.errors.NotCapable
        ? `start with "--allow-read=${folder}"`
        : cause instanceof Error
        ? cause.message
        : String(cause);
      throw new UsageError(`Cannot read the certificate "${path}": ${advice}`, { cause });
    }
  };
  return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
}
