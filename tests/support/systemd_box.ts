/**
 * A throwaway Debian with a real systemd (systemd-box). It stands for a worker: with a powercap tree that only root
 * reads, a stand-in for NVIDIA's library, and a Docker Engine's socket.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { needsCompiler } from "./compiled.ts";
import { NvmlStub, readScript } from "./nvml_stub.ts";
import { needs, needsNamespaces } from "./programs.ts";

const TOOL = fromFileUrl(new URL("./systemd-box", import.meta.url));

/** Registers a test that boots a machine and puts compiled exporters on it. */
export function testOnBox(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  const needed = [needsCompiler(), needsNamespaces(), needs("debootstrap", "lintian", "cc")];
  Deno.test({ name, ignore: needed.some(({ ignore }) => ignore), fn });
}

/** Puts the powercap tree where the kernel has its own, and the socket, before any exporter starts. */
const MACHINE_UNIT = `[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/mount -t tmpfs tmpfs /sys/devices/virtual
ExecStart=/bin/cp -a /srv/powercap /sys/devices/virtual/
ExecStart=/bin/touch /run/docker.sock
ExecStart=/bin/mount --bind /srv/docker.sock /run/docker.sock
[Install]
WantedBy=sysinit.target
`;

const ZONE_FILES: Readonly<Record<string, string>> = {
  name: "package-0\n",
  energy_uj: "123456789\n",
  max_energy_range_uj: "262143328850\n",
  enabled: "1\n",
};

/** The machine; disposing of it turns it off. */
export class SystemdBox implements AsyncDisposable {
  /** The folder that is / inside. */
  readonly root: string;
  readonly #suite: readonly string[];

  private constructor(suite: readonly string[], root: string) {
    this.#suite = suite;
    this.root = root;
  }

  /** Boots a machine without exporters, of this suite or this machine's own, which has this engine's socket. */
  static async boot(dockerSocket: string, suite?: string): Promise<SystemdBox> {
    const words = suite === undefined ? [] : [suite];
    const box = new SystemdBox(words, (await command(TOOL, "root", ...words)).trim());
    // One that was left running would hold the ports.
    await box.#tool("down").catch(() => {});
    await box.#tool("up");
    try {
      await box.#furnish(dockerSocket);
      await box.reboot();
      return box;
    } catch (error) {
      await box[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Turns it off and on again. */
  async reboot(): Promise<void> {
    await this.#tool("down");
    await this.#tool("up");
  }

  /** Runs a bash script inside, as root, and returns what it prints. @throws {Error} when it fails */
  async run(script: string): Promise<string> {
    return await this.#tool("run", "--", "bash", "-euo", "pipefail", "-c", `exec 2>&1\n${script}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tool("down");
  }

  async #tool(what: string, ...args: string[]): Promise<string> {
    return await command(TOOL, what, ...this.#suite, ...args);
  }

  async #furnish(dockerSocket: string): Promise<void> {
    const zone = `${this.root}/srv/powercap/intel-rapl/intel-rapl:0`;
    await Deno.mkdir(zone, { recursive: true });
    await Deno.writeTextFile(`${zone}/../enabled`, "1\n");
    for (const [file, text] of Object.entries(ZONE_FILES)) await Deno.writeTextFile(`${zone}/${file}`, text);
    await Deno.chmod(`${zone}/energy_uj`, 0o400);
    await Deno.writeTextFile(`${this.root}/etc/systemd/system/test-machine.service`, MACHINE_UNIT);
    await command("ln", "-f", dockerSocket, `${this.root}/srv/docker.sock`);
    using library = await NvmlStub.create(await readScript("busy"));
    const folder = `${this.root}/usr/lib/x86_64-linux-gnu`;
    await Deno.copyFile(library.path, `${folder}/libnvidia-ml.so.1`);
    await Deno.copyFile(library.path.replace(/[^/]*$/, "script"), `${folder}/script`);
    await this.run(`
      getent group docker || groupadd docker
      chgrp docker /srv/docker.sock
      chmod 660 /srv/docker.sock
      systemctl daemon-reload
      systemctl enable test-machine
      # What an earlier test left.
      systemctl disable --now 'worker-exporters.target' '*-exporter.service' || true
      rm -rf /etc/systemd/system/*exporter* /etc/{default/,}worker-exporters* /root/worker-exporters[-_]* /usr/local/bin/*-exporter* \\
        /usr/local/{lib,share}/worker-exporters
      dpkg --purge worker-exporters || true
      if id transcode; then userdel transcode; fi`);
  }
}

async function command(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  }
  return decoder.decode(stdout);
}
