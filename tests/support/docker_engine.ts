/**
 * A real engine for tests and measurements, on a socket of its own, with an image made from busybox: Docker or
 * Podman, this machine's or that of another Debian suite, unpacked in a folder (debootstrap).
 *
 * It lives in separate namespaces (processes, mounts, network), so that its end takes everything along.
 * Needs root, dockerd and docker (Debian: docker.io) and busybox (busybox-static); in a folder dockerd with iptables,
 * or podman with crun, netavark and nftables.
 *
 * @module
 */
import { needs, needsRoot } from "./programs.ts";

/** The programs it takes. */
const PROGRAMS = ["dockerd", "docker", "unshare", "findmnt", "tar", "curl", "/bin/busybox"];

/** Options for `Deno.test` of a test that needs a real engine. */
export function needsDocker(): { ignore: boolean } {
  return { ignore: needs(...PROGRAMS).ignore || needsRoot().ignore };
}

/** Image that holds busybox and nothing else. */
export const IMAGE = "busybox:local";

/** Commands of busybox that the image offers. */
const COMMANDS = [
  "cat",
  "dd",
  "false",
  "kill",
  "nc",
  "ping",
  "rm",
  "seq",
  "sh",
  "sleep",
  "sync",
  "test",
  "true",
];

/** Where an engine comes from. */
export interface EngineSource {
  /** @default {"docker"} */
  readonly engine?: "docker" | "podman";
  /** The folder with its programs. @default {"/"} */
  readonly root?: string;
}

/**
 * Mounts the cgroup v1 hierarchies that exist and are mounted nowhere: with one missing, containerd has no
 * statistics for any container. crun wants no cgroup v2 beside them, and Podman locks of its own. Then becomes the
 * engine, with the folder as the root of its mounts: with chroot alone, "docker exec" would enter this machine's. An
 * empty /run keeps it from the containerd of this machine.
 */
const START_SCRIPT = `
root=$1 folder=$2; shift 2
mount -o remount,rw /sys/fs/cgroup 2>/dev/null
while IFS=: read -r number controllers path; do
  case $controllers in ''|*=*) continue;; esac
  grep -q " - cgroup cgroup [^ ]*\\b$controllers\\b" /proc/self/mountinfo && continue
  mkdir -p "/sys/fs/cgroup/$controllers" && mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers"
done </proc/self/cgroup
ip link set lo up
[ "$1" = env ] && umount /sys/fs/cgroup/unified 2>/dev/null
if [ "$root" != / ]; then
  mount --rbind "$root" "$root"
  for tree in proc sys dev; do mount --rbind "/$tree" "$root/$tree"; done
  mkdir -p "$root/$folder" && mount --rbind "$folder" "$root/$folder"
fi
mount -t tmpfs tmpfs "$root/run"
[ "$1" = env ] && mount -t tmpfs tmpfs "$root/dev/shm"
[ "$root" = / ] || { cd "$root" && pivot_root . . && umount --lazy . && cd /; } || exit
exec "$@"
`;

/** A real engine; disposing of it ends it with all it holds. */
export class DockerEngine implements AsyncDisposable {
  readonly #folder: string;
  readonly #source: Required<EngineSource>;
  readonly #cgroup: string;
  #child: Deno.ChildProcess | undefined;
  #log: Promise<void> | undefined;

  private constructor(folder: string, source: EngineSource) {
    this.#folder = folder;
    this.#source = { engine: "docker", root: "/", ...source };
    this.#cgroup = `/exporter-test-${crypto.randomUUID().slice(0, 8)}`;
  }

  /** Its socket. */
  get socketPath(): string {
    return `${this.#folder}/docker.sock`;
  }

  /** Starts an engine with the image. */
  static async start(source: EngineSource = {}): Promise<DockerEngine> {
    const engine = new DockerEngine(await Deno.makeTempDir({ prefix: "docker-engine-" }), source);
    try {
      await engine.launch();
      await engine.#importImage();
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the engine, after it was stopped. */
  async launch(): Promise<void> {
    const folder = this.#folder;
    const socket = `unix://${this.socketPath}`;
    const args = [
      "--mount",
      "--net",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "--propagation",
      "private",
    ];
    this.#child = new Deno.Command("unshare", {
      args: [
        ...args,
        ...["sh", "-c", START_SCRIPT, "sh", this.#source.root, folder],
        ...this.#source.engine === "podman" ? this.#podman("system", "service", "--time=0", socket) : [
          ...["dockerd", "--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`],
          ...["--pidfile", `${folder}/pid`, "--host", socket, "--cgroup-parent", this.#cgroup],
          // systemd's driver would put containers beside this cgroup.
          ...["--shutdown-timeout", "3", "--exec-opt", "native.cgroupdriver=cgroupfs"],
        ],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const log = await Deno.open(`${folder}/log`, { write: true, append: true, create: true });
    this.#log = this.#child.stderr.pipeTo(log.writable);
    const endMs = performance.now() + 120_000;
    while (performance.now() < endMs) {
      // Podman 4.3, just started, was seen never to answer its first request.
      const { success } = await this.#run(["version"], AbortSignal.timeout(10_000));
      if (success) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`The engine does not start: ${(await Deno.readTextFile(`${folder}/log`)).slice(-2000)}`);
  }

  /** A command line of podman on this engine's containers. */
  #podman(...args: string[]): string[] {
    const folder = this.#folder;
    return [
      ...["env", "PODMAN_IGNORE_CGROUPSV1_WARNING=1", "podman", "--root", `${folder}/data`],
      ...["--runroot", `${folder}/exec`, "--cgroup-manager=cgroupfs", "--events-backend=file"],
      ...args,
    ];
  }

  /** Runs the engine's own command line, where the engine is: docker's, or podman's, which goes past the API. */
  async own(...args: string[]): Promise<string> {
    if (this.#source.engine === "docker") return await this.docker(...args);
    const { stdout, stderr, success } = await new Deno.Command("nsenter", {
      args: [
        ...["--target", String(await this.#pid()), "--mount", "--net", "--pid"],
        ...this.#podman(...args),
      ],
    }).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`podman ${args.join(" ")}: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout).trim();
  }

  /** Stops the engine as the system would; its containers stay on disk. */
  async stop(): Promise<void> {
    await this.#signal("SIGTERM");
    // It may be held still.
    await this.#signal("SIGCONT");
    await this.#child?.status;
    await this.#log;
    this.#child = undefined;
  }

  /** Holds the engine still, or lets it go on: `SIGSTOP`, `SIGCONT`. */
  async signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void> {
    await this.#signal(signal);
  }

  /** Runs docker's command line and returns what it prints. @throws {Error} when it fails */
  async docker(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await this.#run(args);
    if (!success) throw new Error(`docker ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  /** Starts a container in the background and returns its whole identifier. */
  run(name: string, script: string, ...options: string[]): Promise<string> {
    const parent = this.#source.engine === "podman" ? ["--cgroup-parent", this.#cgroup] : [];
    return this.docker("run", "--detach", "--name", name, ...parent, ...options, IMAGE, "sh", "-c", script);
  }

  /** Lets its containers have the processor first, so that what else runs on the machine changes no measurement. */
  async favour(): Promise<void> {
    for (const [file, weight] of [["cpu#/cpu.shares", "262144"], ["#/cpu.weight", "10000"]] as const) {
      const path = `/sys/fs/cgroup/${file.replace("#", this.#cgroup)}`.replace("//", "/");
      try {
        await Deno.writeTextFile(path, weight, { create: false });
      } catch (error) {
        // The machine has the other version of control groups.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  /** CPU time so far of all processes of the engine, in seconds: dockerd, containerd, the shims, the containers. */
  cpuSeconds(): number {
    const pid = this.#child?.pid ?? NaN;
    const [child = ""] = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ");
    const namespace = Deno.readLinkSync(`/proc/${child}/ns/pid`);
    let ticks = 0;
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        if (Deno.readLinkSync(`/proc/${name}/ns/pid`) !== namespace) continue;
        const fields = Deno.readTextFileSync(`/proc/${name}/stat`).replace(/^.*\) /s, "").split(" ");
        // User and system time, of its own and of its children that have ended, in units of 10 ms.
        ticks += fields.slice(11, 15).map(Number).reduce((sum, each) => sum + each, 0);
      } catch (error) {
        // It has just ended, or is not ours to look at.
        if (!(error instanceof Error)) throw error;
      }
    }
    return ticks / 100;
  }

  /** The block device that its containers write to; undefined where there is none. */
  async device(): Promise<string | undefined> {
    const { stdout } = await new Deno.Command("findmnt", {
      args: ["--noheadings", "--output=SOURCE", `--target=${this.#folder}`],
    }).output();
    const source = new TextDecoder().decode(stdout).trim();
    return source.startsWith("/dev/") ? source : undefined;
  }

  /** Asks the engine itself. */
  async api(path: string): Promise<unknown> {
    const { stdout } = await new Deno.Command("curl", {
      args: ["--silent", "--unix-socket", this.socketPath, `http://docker${path}`],
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // With its first process all others of the namespace end.
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    await this.#log;
    await this.#removeCgroups();
    await Deno.remove(this.#folder, { recursive: true });
    if (this.#source.root !== "/") await Deno.remove(`${this.#source.root}/${this.#folder}`);
  }

  async #run(
    args: string[],
    signal?: AbortSignal,
  ): Promise<{ success: boolean; stdout: string; stderr: string }> {
    const { success, stdout, stderr } = await new Deno.Command("docker", {
      args: ["--host", `unix://${this.socketPath}`, ...args],
      env: { DOCKER_CONFIG: this.#folder },
      ...(signal && { signal }),
    }).output();
    const decoder = new TextDecoder();
    return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Signals dockerd, which is the only child of unshare. */
  async #signal(signal: Deno.Signal): Promise<void> {
    if (this.#child) Deno.kill(await this.#pid(), signal);
  }

  /** The engine's process identifier. */
  async #pid(): Promise<number> {
    const pid = this.#child?.pid;
    const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
    return Number(children.trim().split(" ")[0]);
  }

  async #importImage(): Promise<void> {
    const root = `${this.#folder}/image`;
    await Deno.mkdir(`${root}/bin`, { recursive: true });
    await Deno.copyFile("/bin/busybox", `${root}/bin/busybox`);
    for (const command of COMMANDS) await Deno.symlink("busybox", `${root}/bin/${command}`);
    const archive = `${this.#folder}/image.tar`;
    await new Deno.Command("tar", { args: ["-C", root, "-cf", archive, "."] }).output();
    await this.docker("import", archive, IMAGE);
  }

  /** Removes the control groups that the engine leaves behind when it is killed. */
  async #removeCgroups(): Promise<void> {
    const script = 'for d in /sys/fs/cgroup"$0" /sys/fs/cgroup/*"$0"; do ' +
      '[ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} + ; done';
    for (let attempt = 0; attempt < 20; attempt++) {
      const { stderr } = await new Deno.Command("sh", { args: ["-c", script, this.#cgroup] }).output();
      if (stderr.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
