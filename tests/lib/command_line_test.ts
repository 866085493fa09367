import { assertEquals, assertThrows } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { denoFlags } from "../../lib/command_line.ts";
import { UsageError } from "../../lib/options.ts";

/** The permissions among the flags, on one line. */
function permissions(name: ExporterName, args: string[]): string {
  const [settings = "", ...rest] = denoFlags(CATALOG[name], args);
  assertEquals(settings.startsWith("--v8-flags="), true);
  const variable = `--allow-env=${CATALOG[name].portVariable}`;
  assertEquals(rest.filter((flag) => flag === variable).length, 1);
  return rest.filter((flag) => flag !== variable).join(" ");
}

Deno.test("denoFlags() follow the exporter's own flags and are the task's without any", async (t) => {
  const cases: [ExporterName, string, string][] = [
    ["cpu", "", "--no-prompt --allow-read=/run/powercap --allow-net=0.0.0.0:9510"],
    ["cpu", "--port 0 --powercap=/srv/p", "--no-prompt --allow-read=/srv/p --allow-net=0.0.0.0:0"],
    ["cpu", "--host=::1", "--no-prompt --allow-read=/run/powercap --allow-net=[::1]:9510"],
    ["cpu", "--web.listen-address :80", "--no-prompt --allow-read=/run/powercap --allow-net=0.0.0.0:80"],
    ["gpu", "--nvml /l.so", "--no-prompt --allow-ffi=/l.so --allow-net=0.0.0.0:9511"],
    [
      "ffmpeg",
      "--progress-dir=/p --web.config.file=/etc/w/web.yml",
      "--no-prompt --allow-read=/p,/etc/w/web.yml --allow-net=0.0.0.0:9506",
    ],
    [
      "docker",
      "--docker-host=unix:///s",
      "--no-prompt --allow-read=/s --allow-write=/s --allow-net=0.0.0.0:9501,unix:/s --ignore-env",
    ],
    [
      "docker",
      "--docker-host tcp://10.0.0.5:2376 --docker-cert-path=/c",
      "--no-prompt --allow-read=/c --allow-net=0.0.0.0:9501,10.0.0.5:2376 --ignore-env",
    ],
    [
      "docker",
      "--docker-host=tcp://10.0.0.5",
      "--no-prompt --allow-net=0.0.0.0:9501,10.0.0.5:2375 --ignore-env",
    ],
    [
      "cpu",
      "--web.listen-address=127.0.0.1:80 --web.listen-address=[::1]:80",
      "--no-prompt --allow-read=/run/powercap --allow-net=127.0.0.1:80,[::1]:80",
    ],
    [
      "docker",
      "--docker-host tcp://h:2376 --docker-cert-path=/c",
      "--no-prompt --allow-read=/c --allow-net=0.0.0.0:9501,h:2376 --ignore-env",
    ],
  ];
  for (const [name, args, flags] of cases) {
    await t.step(`${name} ${args}`, () => {
      const words = args.split(" ").filter(Boolean);
      assertEquals(permissions(name, words), flags);
    });
  }
});

Deno.test("denoFlags() cover a web configuration and the files it names, and no more", async () => {
  const folder = await Deno.makeTempDir();
  const config = `${folder}/web.yml`;
  const flags = (): string => permissions("gpu", ["--nvml=/l.so", `--web.config.file=${config}`]);
  const read = (...files: string[]): string =>
    `--no-prompt --allow-read=${files.join(",")} --allow-ffi=/l.so --allow-net=0.0.0.0:9511`;
  try {
    assertEquals(flags(), read(config));
    await Deno.writeTextFile(config, "tls_server_config: {cert_file: a.pem, key_file: '/b/c d'} # key_file");
    assertEquals(flags(), read(config, `${folder}/a.pem`, "/b/c d"));
    await Deno.writeTextFile(
      config,
      'tls_server_config:\n  client_ca_file: "ca"\n  cert_file:\n  key_file: k # no\n',
    );
    assertEquals(flags(), read(config, `${folder}/ca`, `${folder}/k`));
    for (
      const harmless of [
        "# before: key_file: /etc/passwd",
        "tls_server_config: {} # { key_file: /etc/passwd }",
        'http_server_config: { headers: { a: "b, key_file: /etc/passwd" } }',
        "http_server_config: { headers: { a: 'it''s, key_file: /etc/passwd' } }",
        "my_key_file: /etc/passwd",
      ]
    ) {
      await Deno.writeTextFile(config, `${harmless}\n`);
      assertEquals(flags(), read(config), harmless);
    }
    await Deno.writeTextFile(config, "tls_server_config: { key_file: 'a,/etc' }\n");
    assertThrows(flags, UsageError, "no path with a comma");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("denoFlags() follow the port of the environment where no flag sets one", () => {
  const net = (...args: string[]): string | undefined =>
    denoFlags(CATALOG.docker, args, (name) => name === "DOCKER_STATS_PORT" ? "9600" : undefined)
      .find((flag) => flag.startsWith("--allow-net="));
  assertEquals(net(), "--allow-net=0.0.0.0:9600,unix:/var/run/docker.sock");
  assertEquals(net("--port=1"), "--allow-net=0.0.0.0:1,unix:/var/run/docker.sock");
  assertEquals(net("--web.listen-address=:2"), "--allow-net=0.0.0.0:2,unix:/var/run/docker.sock");
});

Deno.test("No flag, comma or further argument widens what is granted", () => {
  const rejected: [ExporterName, string[]][] = [
    ["cpu", ["--", "--powercap=/"]],
    ["cpu", ["/etc"]],
    ["cpu", ["--powercap=/run/powercap,/etc"]],
    ["cpu", ["--powercap="]],
    ["cpu", ["--powercap=/a", "--powercap=/b"]],
    ["cpu", ["--host=0.0.0.0,10.0.0.5"]],
    ["cpu", ["--web.listen-address=0.0.0.0,10.0.0.5:80"]],
    ["gpu", ["--nvml=/a.so,/b.so"]],
    ["ffmpeg", ["--progress-dir=/p,/etc"]],
    ["docker", ["--docker-host=unix:///s,/etc"]],
    ["docker", ["--docker-host=tcp://a,b:1"]],
  ];
  for (const [name, args] of rejected) {
    assertThrows(() => denoFlags(CATALOG[name], args), UsageError, undefined);
  }
});
