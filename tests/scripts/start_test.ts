import { assertEquals, assertThrows } from "@std/assert";
import type { ExporterName } from "../../exporters/catalog.ts";
import { grantFlags, grantsFor } from "../../exporters/grants.ts";
import { runChildren } from "../../scripts/run_children.ts";
import { parseSelection } from "../../scripts/start.ts";
import { eventually, ROOT } from "../support/exporter_process.ts";

/** The permissions among the flags, on one line. */
function permissions(name: ExporterName, args: string[]): string {
  const [settings = "", ...rest] = grantFlags(name, grantsFor(name, args));
  assertEquals(settings.startsWith("--v8-flags="), true);
  return rest.join(" ");
}

Deno.test("grantFlags() follow the exporter's own flags and are the task's without any", async (t) => {
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

Deno.test("grantFlags() cover a web configuration and the files it names, and no more", async () => {
  const folder = await Deno.makeTempDir();
  const config = `${folder}/web.yml`;
  const flags = (): string => permissions("gpu", ["--nvml=/l.so", `--web.config.file=${config}`]);
  const read = (...files: string[]): string =>
    `--no-prompt --allow-ffi=/l.so --allow-net=0.0.0.0:9511 --allow-read=${files.join(",")}`;
  try {
    assertEquals(flags(), read(config));
    await Deno.writeTextFile(config, "tls_server_config: {cert_file: a.pem, key_file: '/b/c d'} # key_file");
    assertEquals(flags(), read(config, `${folder}/a.pem`, "/b/c d"));
    await Deno.writeTextFile(
      config,
      'tls_server_config:\n  client_ca_file: "ca"\n  cert_file:\n  key_file: k # no\n',
    );
    assertEquals(flags(), read(config, `${folder}/ca`, `${folder}/k`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("parseSelection() gives each exporter the flags after its name", () => {
  const selection = parseSelection(["cpu", "--port", "0", "docker"]);
  assertEquals([...selection], [["cpu", ["--port", "0"]], ["docker", []]]);
  assertEquals([...parseSelection([]).keys()], ["cpu", "gpu", "ffmpeg", "docker"]);
  assertThrows(() => parseSelection(["tpu"]), RangeError, 'Cannot start "tpu"');
  assertThrows(() => parseSelection(["cpu", "cpu"]), RangeError, "must be given once");
});

Deno.test("runChildren() names each line, lets the others go on and returns the first failure's code", async () => {
  const lines: string[] = [];
  const shell = (name: string, script: string) => ({ name, command: "sh", args: ["-c", script] });
  const code = await runChildren(
    [shell("a", "echo one >&2; exit 3"), shell("b", "sleep 0.1; printf two >&2")],
    { say: (line) => lines.push(line) },
  );
  assertEquals(code, 3);
  assertEquals(lines, ["a | one", "a | ended with exit code 3", "b | two", "b | ended with exit code 0"]);
});

Deno.test("runChildren() kills what does not end in time", async () => {
  const lines: string[] = [];
  const stop = new AbortController();
  const code = await runChildren(
    [{
      name: "deaf",
      command: "sh",
      args: ["-c", "trap '' TERM; echo up >&2; while :; do sleep 0.05; done"],
    }],
    {
      say: (line) => {
        lines.push(line);
        if (line.endsWith("up")) stop.abort();
      },
      signal: stop.signal,
      stopTimeoutMs: 200,
    },
  );
  assertEquals(code, 137);
  assertEquals(lines, ["deaf | up", "deaf | does not end: killed", "deaf | ended by SIGKILL"]);
});

Deno.test("start runs exporters until SIGTERM, each on the port it prints", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-run", "--allow-read", "scripts/start.ts", "cpu", "--port=0"],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await stdout.read();
  const { exporter, port } = JSON.parse(value);
  assertEquals(exporter, "cpu");
  await eventually(async () => assertEquals((await fetch(`http://127.0.0.1:${port}/-/ready`)).status, 200));
  child.kill("SIGTERM");
  const { code } = await child.status;
  await stdout.cancel();
  const stderr = await new Response(child.stderr).text();
  assertEquals(code, 0, stderr);
  assertEquals(/^cpu \| .*msg=listening/m.test(stderr), true, stderr);
});
