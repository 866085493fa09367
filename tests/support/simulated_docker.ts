/**
 * The docker exporter as a separate process, on a simulated engine.
 *
 * @module
 */
import { hostPermissionFlags, parseDockerHost } from "../../exporters/docker/docker_host.ts";
import { SimulatedEngine, type SimulatedEngineOptions } from "../../simulation/simulated_engine.ts";
import {
  type ExporterProcess,
  startExporter,
  type StartOptions,
  testPermissions,
} from "./exporter_process.ts";

/** The permissions of the docker exporter's task, for another socket. */
export function dockerPermissions(socketPath: string): string[] {
  const flags = hostPermissionFlags(parseDockerHost(`unix://${socketPath}`));
  const [read = "", write = "", net = ""] = flags.split(" ");
  return testPermissions("docker").map((flag) =>
    flag.startsWith("--allow-read=")
      ? read
      : flag.startsWith("--allow-write=")
      ? write
      : flag.startsWith("--allow-net=")
      ? `--allow-net=0.0.0.0,${net.slice("--allow-net=".length)}`
      : flag
  );
}

/** Starts the docker exporter on a socket. */
export function startDockerExporter(
  socketPath: string,
  options: StartOptions = {},
): Promise<ExporterProcess> {
  const { args = [], ...others } = options;
  return startExporter("docker", {
    permissions: dockerPermissions(socketPath),
    args: [`--docker-host=unix://${socketPath}`, ...args],
    ...others,
  });
}

/** A simulated engine in a temporary folder; disposing of it removes both. */
export interface TemporaryEngine extends AsyncDisposable {
  readonly engine: SimulatedEngine;
  readonly socketPath: string;
}

/** Makes a simulated engine that does not listen yet. */
export async function temporaryEngine(
  options: Omit<SimulatedEngineOptions, "socketPath"> = {},
): Promise<TemporaryEngine> {
  const folder = await Deno.makeTempDir({ prefix: "docker-sim-" });
  const socketPath = `${folder}/docker.sock`;
  const engine = new SimulatedEngine({ socketPath, ...options });
  return {
    engine,
    socketPath,
    async [Symbol.asyncDispose](): Promise<void> {
      await engine.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
