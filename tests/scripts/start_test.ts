import { assertEquals, assertThrows } from "@std/assert";
import { runChildren } from "../../scripts/run_children.ts";
import { parseSelection } from "../../scripts/start.ts";
import { eventually, ROOT } from "../support/exporter_process.ts";
import { packageFlags } from "../../scripts/package_flags.ts";

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
  const seen = Deno.makeTempFileSync();
  const code = await runChildren(
    [
      shell("a", "echo one >&2; exit 3"),
      shell("b", `while [ -e ${seen} ]; do sleep 0.02; done; printf two >&2`),
    ],
    {
      print: (line) => {
        lines.push(line);
        if (line.startsWith("a | ended")) Deno.removeSync(seen);
      },
    },
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
      print: (line) => {
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
    args: ["run", ...packageFlags("tests"), "--no-prompt", "-A", "scripts/start.ts", "cpu", "--port=0"],
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
