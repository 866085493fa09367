/**
 * The docker exporter on a simulated engine with two containers.
 *
 * @module
 */
import { type SimulatedContainer, simulatedContainer } from "../../../simulation/simulated_container.ts";
import { type Fault, SimulatedEngine } from "../../../simulation/simulated_engine.ts";
import type { ExporterProcess } from "../exporter_process.ts";
import { type Rig, type RigOptions, type Series, startOnRig } from "./rig.ts";

/** The container that the canary shows. */
export const WEB = "web";
/** Another one. */
export const OTHER = "other";
const STEP_BYTES = 1024 * 1024;

/** The docker exporter on a simulated engine. */
export class DockerRig implements Rig {
  readonly name = "docker";
  readonly source = "docker";
  readonly canary: Series = { name: "docker_container_memory_usage_bytes", labels: { name: WEB } };
  readonly folder: string;
  readonly engine: SimulatedEngine;
  readonly exporter: ExporterProcess;

  private constructor(parts: Pick<DockerRig, "folder" | "engine" | "exporter">) {
    this.folder = parts.folder;
    this.engine = parts.engine;
    this.exporter = parts.exporter;
  }

  /** Starts it; the engine is read five times a second. */
  static async create(options: RigOptions = {}): Promise<DockerRig> {
    const folder = options.folder ?? await Deno.makeTempDir({ prefix: "docker-test-" });
    await Deno.mkdir(folder, { recursive: true });
    await Deno.chmod(folder, 0o755);
    const socketPath = `${folder}/docker.sock`;
    const engine = new SimulatedEngine({ socketPath, cgroup: 2 });
    engine.add(simulatedContainer(0, { name: WEB }), simulatedContainer(1, { name: OTHER }));
    if (!options.absent) engine.listen();
    const args = [`--docker-host=unix://${socketPath}`, "--interval=200ms", "--timeout=2s"];
    try {
      return new DockerRig({ folder, engine, exporter: await startOnRig("docker", args, options) });
    } catch (error) {
      await engine.close();
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** A container by its name. @throws {RangeError} when there is none */
  container(name: string): SimulatedContainer {
    const found = [...this.engine.containers.values()].find((container) => container.name === name);
    if (!found) throw new RangeError(`The engine has no container "${name}"`);
    return found;
  }

  step(before: number): number {
    this.container(WEB).memoryBytes += STEP_BYTES;
    return before + STEP_BYTES;
  }

  /** What goes wrong with every request from now on, or with those to some paths. */
  fail(fault: Fault | undefined, paths = /^/): void {
    this.engine.fault = (path) => paths.test(path) ? fault : undefined;
    if (fault) this.engine.cutEvents();
  }

  /** Who may connect to the socket. */
  chmod(mode: number): void {
    Deno.chmodSync(`${this.folder}/docker.sock`, mode);
  }

  /** The engine ends every connection and restarts. */
  async restart(): Promise<void> {
    await this.hide();
    this.show();
  }

  async hide(): Promise<void> {
    await this.engine.close();
  }

  show(): void {
    this.engine.listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.engine.fault = () => undefined;
    await this.exporter[Symbol.asyncDispose]();
    await this.engine.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
