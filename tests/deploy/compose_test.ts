/** compose.yaml and the Dockerfile: what Compose makes of them, and containers of them on a real engine. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { load } from "js-yaml";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { fetchForCompiling, testCompiled } from "../support/compiled.ts";
import { BASE_IMAGES, importBaseImages } from "../support/container_images.ts";
import { DockerEngine } from "../support/docker_engine.ts";
import { eventually, ROOT } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";

const ROWS = Object.entries(CATALOG) as [ExporterName, typeof CATALOG[ExporterName]][];

/** The part of Compose's normal form that matters here. */
interface Service {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly security_opt?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly mem_limit?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
}

/** Names that the installation before had, which the seed's command and scrape file use. */
const ORIGIN = ["cpu-exporter-go", "gpu-exporter-go"];

async function compose(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const command = new Deno.Command("docker-compose", { args: [...args], cwd: ROOT, env, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`docker-compose ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

Deno.test({
  name: "compose.yaml is valid and confines every exporter",
  ...needs("docker-compose"),
  fn: async () => {
    const { services } = load(
      await compose(["--profile", "monitoring", "--profile", "origin", "config"]),
    ) as {
      services: Record<string, Service>;
    };
    assertEquals(
      Object.keys(services).toSorted(),
      [...ROWS.map(([, { artifact }]) => artifact), ...ORIGIN, "grafana", "victoria-metrics", "vmalert"]
        .toSorted(),
    );
    for (const [name, { artifact, port }] of ROWS) {
      const service = services[artifact];
      assertEquals(service?.entrypoint, ["/worker-exporters", name]);
      assertEquals(service?.ports, [`0.0.0.0:${port}:${port}/tcp`]);
      assertStringIncludes(service?.healthcheck?.test.join(" ") ?? "", `http://127.0.0.1:${port}/-/ready`);
    }
    for (const service of Object.values(services)) {
      assertEquals(service.read_only, true);
      assertEquals(service.security_opt, ["no-new-privileges:true"]);
      assertEquals(service.cap_drop, ["ALL"]);
      assertMatch(service.mem_limit ?? "", /^\d+[mg]$/);
    }
  },
});

Deno.test({
  name: "compose.yaml starts nothing twice, and has the names and container ports of the installation before",
  ...needs("docker-compose"),
  fn: async () => {
    const plain = load(await compose(["config"])) as { services: Record<string, Service> };
    // Debian's Compose prints services of other profiles too, and marks them.
    const ports = Object.values(plain.services).filter((service) => !service.profiles)
      .flatMap(({ ports = [] }) => ports);
    assertEquals(ports.length, ROWS.length);
    assertEquals(new Set(ports).size, ports.length);
    const all = load(await compose(["--profile", "origin", "config"])) as {
      services: Record<string, Service>;
    };
    assertEquals(ORIGIN.map((name) => all.services[name]?.ports), [["0.0.0.0:9510:9500/tcp"], [
      "0.0.0.0:9511:9505/tcp",
    ]]);
  },
});

Deno.test("compose.yaml mounts the folders of monitoring/ that exist", () => {
  const text = Deno.readTextFileSync(`${ROOT}compose.yaml`);
  const folders = Array.from(text.matchAll(/- \.\/(\S+?):/g), ([, folder = ""]) => folder);
  assertEquals(folders.length, 4);
  for (const folder of folders) assertEquals(Deno.statSync(`${ROOT}${folder}`).isDirectory, true);
});

testCompiled("The images build, and their containers are healthy on a real engine", async (t) => {
  await using engine = await DockerEngine.start();
  await fetchForCompiling();
  await importBaseImages(engine);
  const folder = await Deno.makeTempDir();
  const zone = `${folder}/powercap/intel-rapl/intel-rapl:0`;
  await Deno.mkdir(zone, { recursive: true });
  await Deno.writeTextFile(`${zone}/name`, "package-0\n");
  await Deno.writeTextFile(`${zone}/max_energy_range_uj`, "262143328850\n");
  await Deno.writeTextFile(`${zone}/energy_uj`, "1\n", { mode: 0o400 });
  const env = {
    ...BASE_IMAGES,
    COMPOSE_PROJECT_NAME: "worker",
    DOCKER_HOST: `unix://${engine.socketPath}`,
    DOCKER_BUILDKIT: "0",
    COMPOSE_DOCKER_CLI_BUILD: "0",
    DOCKER_SOCKET: engine.socketPath,
    DOCKER_GID: String((await Deno.stat(engine.socketPath)).gid),
    POWERCAP: `${folder}/powercap`,
    COMMIT: "0123abc",
  };
  // Compose starts no container that asks for a GPU on an engine without NVIDIA's toolkit.
  const startable = ROWS.filter(([name]) => name !== "gpu");
  try {
    await compose(["build", "--build-arg", "BUILDPLATFORM=linux/amd64", "cpu-exporter"], env);
    for (const [name, { artifact }] of ROWS) {
      await t.step(`${artifact}: image`, async () => {
        const version = await engine.docker(
          ...["run", "--rm", "--read-only", "--cap-drop=ALL", "worker-exporters", name, "--version"],
        );
        assertMatch(version, new RegExp(`^${artifact} .*commit 0123abc\\)$`));
      });
    }
    await compose(["up", "--detach", ...startable.map(([, { artifact }]) => artifact)], env);
    for (const [, { artifact, port }] of startable) {
      await t.step(`${artifact}: container`, async () => {
        const container = (await engine.docker("ps", "--quiet", "--filter", `name=${artifact}`)).trim();
        const health = await eventually(async () =>
          await engine.docker(
            "exec",
            container,
            "/bin/busybox",
            "wget",
            "-qO-",
            `http://127.0.0.1:${port}/health`,
          )
        );
        await eventually(async () => {
          const state = await engine.docker("inspect", "--format", "{{.State.Health.Status}}", container);
          assertEquals(state, "healthy");
        }, 30_000);
        assertStringIncludes(health, '"status":"ok"');
        assertMatch(
          await engine.docker("exec", container, "/bin/busybox", "grep", "CapEff", "/proc/1/status"),
          /\b0{16}$/,
        );
      });
    }
    await t.step("the command and the scrape file of the installation before find theirs", async () => {
      await compose(["rm", "--stop", "--force", "cpu-exporter"], env);
      await compose(["up", "--detach", "cpu-exporter-go", "ffmpeg-exporter", "docker-stats-exporter"], env);
      const scraper = (await engine.docker("ps", "--quiet", "--filter", "name=ffmpeg-exporter")).trim();
      for (const target of ["cpu-exporter-go:9500", "ffmpeg-exporter:9506", "docker-stats-exporter:9501"]) {
        const wget = ["exec", scraper, "/bin/busybox", "wget", "-qO-", `http://${target}/metrics`];
        await eventually(async () => {
          assertStringIncludes(await engine.docker(...wget), "exporter_build_info");
        }, 30_000);
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
