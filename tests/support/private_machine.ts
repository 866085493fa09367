/**
 * Runs an exporter in mount and network namespaces of its own, as an unprivileged user, so that a test can put
 * a tree at the real /run/powercap and use the real port without touching the machine.
 *
 * @module
 */
import { CATALOG } from "../../exporters/catalog.ts";
import { denoFlags } from "../../lib/command_line.ts";
import type { HealthReport } from "../../lib/server.ts";
import { type ExporterProcess, ROOT, startExporter, type StartOptions } from "./exporter_process.ts";

/**
 * /run becomes an empty folder in which the project, Deno and its cache can be read by everyone.
 * Arguments: project, cache, user, then the command with Deno's own path as its first word.
 */
const ENTER = `
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/project /run/deno_dir
touch /run/deno
mount --bind "$1" /run/project
mount --bind "$2" /run/deno_dir
mount --bind "$4" /run/deno
ip link set lo up
cd /run/project
user=$3
shift 4
export DENO_DIR=/run/deno_dir
exec setpriv --reuid="$user" --regid="$user" --clear-groups /run/deno "$@"
`;

/** Programs that {@linkcode startPrivately} runs. */
export const PRIVATE_MACHINE_PROGRAMS = ["unshare", "nsenter", "setpriv", "ip", "curl"] as const;

/** A user without any rights. */
const NOBODY = 65534;

/** An exporter in namespaces of its own. */
export interface PrivateExporter extends Omit<ExporterProcess, "metrics" | "health"> {
  /** Shows a folder of this machine at /run/powercap there. */
  mountPowercap(root: string): Promise<void>;
  /** Asks the exporter with curl. */
  curl(path: string): Promise<string>;
  health(): Promise<HealthReport>;
}

/** Starts the CPU exporter on its own port with exactly the permission flags of its task. */
export async function startPrivately(
  options: StartOptions & { user?: number } = {},
): Promise<PrivateExporter> {
  const process = await startExporter("cpu", {
    permissions: denoFlags(CATALOG.cpu),
    ...options,
    args: ["--port=9510", ...options.args ?? []],
    prefix: [
      "unshare",
      "-mn",
      "sh",
      "-c",
      ENTER,
      "sh",
      ROOT,
      await denoDir(),
      String(options.user ?? NOBODY),
    ],
  });
  const inside = (...words: string[]): Promise<string> =>
    run("nsenter", ["-t", String(process.pid), ...words]);
  const curl = (path: string): Promise<string> =>
    inside("-n", "curl", "-sS", "--fail", `http://127.0.0.1:9510${path}`);
  return {
    ...process,
    mountPowercap: async (root) => {
      await inside("-m", "mkdir", "-p", "/run/powercap");
      await inside("-m", "mount", "--bind", root, "/run/powercap");
    },
    curl,
    health: async () => JSON.parse(await curl("/health")),
  };
}

async function denoDir(): Promise<string> {
  return JSON.parse(await run(Deno.execPath(), ["info", "--json"])).denoDir;
}

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
