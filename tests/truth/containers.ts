/**
 * Containers of a real engine that work, and what the kernel and the engine's own answers say of them.
 *
 * @module
 */
import { type Account, containerAccount } from "../support/container_account.ts";
import { DockerEngine, type EngineSource } from "../support/docker_engine.ts";

/** What `GET /containers/ID/json` has, of what is used here. */
export interface Inspection {
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly OOMKilled: boolean;
    readonly ExitCode: number;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
}

/** A container now. */
export interface SeenContainer {
  readonly name: string;
  readonly inspection: Inspection;
  /** Empty while it does not run. */
  readonly account: Account;
  /** What it was while it ran: limits stay as they are configured. */
  readonly lastAccount: Account;
}

const WORK = `while :; do
  dd if=/dev/zero of=/file bs=1M count=5; cat /file >/dev/null; for i in $(seq 20000); do :; done; sleep 0.5
done`;
/** Each has the same work. */
const NAMES = ["worker-1", "worker-2"];

/** The engine with its containers; disposing of it ends it. */
export class RealContainers implements AsyncDisposable {
  readonly engine: DockerEngine;
  readonly #ids: ReadonlyMap<string, string>;
  seen: SeenContainer[] = [];
  /** How often the engine reported an action since the exporter started. */
  events: ReadonlyMap<string, number> = new Map();
  /** Unix time from which events count, in seconds. */
  sinceSeconds = 0;

  private constructor(engine: DockerEngine, ids: ReadonlyMap<string, string>) {
    this.engine = engine;
    this.#ids = ids;
  }

  /** Starts it. */
  static async start(source: EngineSource = {}): Promise<RealContainers> {
    const engine = await DockerEngine.start(source);
    const ids = new Map<string, string>();
    for (const name of NAMES) {
      ids.set(
        name,
        await engine.run(
          name,
          WORK,
          ...["--cpus=0.2", "--memory=64m", "--memory-reservation=32m", "--pids-limit=40"],
        ),
      );
    }
    return new RealContainers(engine, ids);
  }

  /** Looks at all. */
  async look(): Promise<void> {
    this.seen = await Promise.all([...this.#ids].map(async ([name, id]) => {
      const inspection = await this.engine.api(`/v1.41/containers/${id}/json`) as Inspection;
      const account = inspection.State.Running ? await containerAccount(id) : {};
      const before = this.seen.find((each) => each.name === name)?.lastAccount ?? {};
      return { name, inspection, account, lastAccount: Object.keys(account).length > 0 ? account : before };
    }));
    const until = Math.ceil(Date.now() / 1000);
    const text = await this.engine.docker(
      ...["events", "--since", `${this.sinceSeconds}`, "--until", `${until}`, "--format", "{{.Action}}"],
    );
    const counts = Map.groupBy(text.split("\n").filter(Boolean), (action) => action);
    this.events = new Map([...counts].map(([action, each]) => [action, each.length]));
  }

  /** Pauses one, or lets it go on; stops it, or starts it. */
  async change(name: string, how: "pause" | "stop"): Promise<void> {
    const status = this.seen.find((each) => each.name === name)?.inspection.State.Status;
    if (status === "running") await this.engine.docker(...how === "pause" ? ["pause", name] : ["kill", name]);
    else if (status === "paused") await this.engine.docker("unpause", name);
    else if (status === "exited") await this.engine.docker("start", name);
  }

  /** Names of all. */
  get names(): [string, ...string[]] {
    return ["worker-1", "worker-2"];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }
}
