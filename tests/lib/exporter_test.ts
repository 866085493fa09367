/** The life of an exporter, on one that reads nothing. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { denoFlags } from "../../lib/command_line.ts";
import { eventually, ROOT, startExporter, testPermissions } from "../support/exporter_process.ts";
import { TOY } from "../support/toy.ts";
import { packageFlags } from "../../scripts/package_flags.ts";

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs an exporter that is expected to end by itself. */
async function runToEnd(
  args: string[],
  { permissions = testPermissions("toy"), env = {} } = {},
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...packageFlags("tests"), ...permissions, "tests/support/toy.ts", ...args],
    cwd: ROOT,
    env,
    stdin: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("--help names the permissions and an example, --version the versions", async () => {
  const help = await runToEnd(["--help"]);
  assertEquals(help.code, 0);
  for (const flag of denoFlags(TOY)) assertStringIncludes(help.stdout, flag);
  assertStringIncludes(help.stdout, "\n  --allow-read=/run/toy\n");
  assertStringIncludes(help.stdout, "curl http://127.0.0.1:9599/metrics");
  const version = await runToEnd(["--version"]);
  assertEquals(version.code, 0);
  assertStringIncludes(version.stdout, "toy-exporter 1.2.3");
  assertStringIncludes(version.stdout, `deno ${Deno.version.deno}`);
});

Deno.test("The environment variable of an exporter sets its port where no flag does", async () => {
  const env = { TOY_EXPORTER_PORT: "9998" };
  // It does not listen, but reports which address it would.
  const addressOf = async (...args: string[]): Promise<string | undefined> => {
    const { stderr } = await runToEnd(args, { permissions: denoFlags(TOY), env });
    return /--allow-net=(\S+)"/.exec(stderr)?.[1];
  };
  assertEquals(await addressOf(), "0.0.0.0:9998");
  assertEquals(await addressOf("--host=127.0.0.1"), "127.0.0.1:9998");
  assertEquals(await addressOf("--port=9999"), "0.0.0.0:9999");
  const wrong = await runToEnd([], { env: { TOY_EXPORTER_PORT: "80a" } });
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "environment variable TOY_EXPORTER_PORT as it must be 1 to 65535");
});

Deno.test("An exporter listens on every --web.listen-address", async () => {
  const args = ["--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.2:0"];
  await using exporter = await startExporter("toy", { args, permissions: denoFlags(TOY, args) });
  const ports = (): string[] =>
    Array.from(exporter.stderr().matchAll(/address=(\S+)/g), ([, address = ""]) => address);
  await eventually(() => assertEquals(ports().length, 2));
  for (const address of ports()) {
    assertEquals(await (await fetch(`http://${address}/-/ready`)).text(), "Ready\n");
  }
});

const WRONG: [string[], string][] = [
  [["--port=80a"], 'toy-exporter: Cannot use "--port" as it must be 1 to 65535'],
  [["--prot=1"], 'toy-exporter: Cannot use "--prot" as there is no such flag'],
  [["--folder="], 'toy-exporter: Cannot use "--folder" as its value is missing'],
  [["--folder=/run/toy,/etc"], 'toy-exporter: Cannot use "--folder" as Deno grants no path with a comma'],
  [["--host=0.0.0.0,10.0.0.5"], 'toy-exporter: Cannot use "--host" as it must be an address or name'],
  [["--", "--folder=/"], 'toy-exporter: Cannot use "--folder" as there is no such flag'],
  [["--web.telemetry-path=/health"], 'toy-exporter: Cannot use "--web.telemetry-path" as it must be a path'],
  [
    ["--web.listen-address=:1", "--port=1"],
    'toy-exporter: Cannot use "--web.listen-address" together with "--port"',
  ],
];

for (const [args, sentence] of WRONG) {
  Deno.test(`Wrong flags ${args.join(" ")} end the start with 2 and a sentence`, async () => {
    const { code, stderr } = await runToEnd(args);
    assertEquals([code, stderr.includes(sentence)], [2, true], stderr);
    assertEquals(stderr.includes("    at "), false, "no stack trace");
  });
}

Deno.test("A port in use ends the start with 1 and a sentence", async () => {
  using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { code, stderr } = await runToEnd([`--port=${(listener.addr as Deno.NetAddr).port}`]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "another program listens there");
});

Deno.test("A port that the permissions do not cover ends the start with 1 and names the flag", async () => {
  const { code, stderr } = await runToEnd(["--port=9999"], { permissions: denoFlags(TOY) });
  assertEquals(code, 1);
  assertStringIncludes(stderr, 'start with "--allow-net=0.0.0.0:9999"');
});

Deno.test("--port=0 prints the chosen port as one line of JSON", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...packageFlags("tests"), ...testPermissions("toy"), "tests/support/toy.ts", "--port=0"],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const { exporter, host, port } = JSON.parse(value ?? "");
  assertEquals([exporter, host], ["toy", "0.0.0.0"]);
  assertEquals(await (await fetch(`http://127.0.0.1:${port}/-/ready`)).text(), "Ready\n");
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 0);
  await reader.cancel();
});

Deno.test("--web.listen-address, --web.telemetry-path and --log.format are followed", async () => {
  const args = ["--web.listen-address=127.0.0.1:0", "--web.telemetry-path=/probe", "--log.format=json"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...packageFlags("tests"),
      "--no-prompt",
      "--allow-net=127.0.0.1",
      "tests/support/toy.ts",
      ...args,
    ],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { host, port } = JSON.parse((await stdout.read()).value ?? "");
  assertEquals(host, "127.0.0.1");
  const page = await fetch(`http://127.0.0.1:${port}/probe`);
  assertStringIncludes(await page.text(), "exporter_build_info");
  const old = await fetch(`http://127.0.0.1:${port}/metrics`);
  assertEquals(old.status, 404);
  await old.body?.cancel();
  child.kill("SIGINT");
  assertEquals((await child.status).code, 0);
  await stdout.cancel();
  const log = await new Response(child.stderr).text();
  for (const line of log.trim().split("\n")) assertEquals(typeof JSON.parse(line).msg, "string");
});

Deno.test("An exporter listens on an IPv6 address", async () => {
  await using exporter = await startExporter("toy", {
    args: ["--web.listen-address=[::1]:0"],
    permissions: ["--no-prompt", "--allow-net=[::1]"],
  });
  const response = await fetch(`http://[::1]:${exporter.port}/-/ready`);
  assertEquals(await response.text(), "Ready\n");
});

Deno.test("SIGTERM ends an exporter with 0, also with requests that never end", async () => {
  for (const name of Object.keys(CATALOG) as ExporterName[]) {
    await using exporter = await startExporter(name);
    const silent = await Deno.connect({ port: exporter.port });
    const half = await Deno.connect({ port: exporter.port });
    await half.write(
      new TextEncoder().encode("POST /progress?job_id=x HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nfr"),
    );
    const scraping = Promise.all(Array.from({ length: 8 }, () => exporter.metrics().catch(() => "cut")));
    exporter.kill("SIGTERM");
    assertEquals([name, await exporter.exitCode], [name, 0], exporter.stderr());
    await scraping;
    silent.close();
    half.close();
  }
});

Deno.test("Garbage, silence and half requests change nothing for the next scrape", async () => {
  await using exporter = await startExporter("toy");
  const before = await exporter.metrics();
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const garbage: Uint8Array[] = [
    encode("\x00\x01\x02\xff".repeat(1000)),
    encode("GET / HTTP/9.9\r\n\r\n"),
    encode("BREW /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
    encode(`GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(1_000_000)}\r\n\r\n`),
    encode(`GET /${"a/".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`),
    encode(`GET /metrics HTTP/1.1\r\n${Array.from({ length: 5000 }, (_, i) => `H${i}: x\r\n`).join("")}\r\n`),
    encode(
      "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    encode("GET /metrics HTTP/1.1\r\nHo"),
  ];
  const open: Deno.TcpConn[] = [];
  for (let index = 0; index < 1000; index++) {
    const connection = await Deno.connect({ port: exporter.port });
    open.push(connection);
    const bytes = garbage[index % (garbage.length * 4)];
    // The exporter may close before it has read it all.
    if (bytes) await connection.write(bytes).catch(() => {});
  }
  const after = await exporter.metrics();
  const names = (page: string): string[] =>
    page.split("\n").filter((line) => line.startsWith("# TYPE") && !/lag|source_error/.test(line));
  assertEquals(names(after), names(before));
  for (const connection of open) connection.close();
  await eventually(async () => assertEquals((await exporter.health()).exporter, "toy"));
});

Deno.test("Every exporter answers a client that asks again on the same connection", async () => {
  for (const name of Object.keys(CATALOG) as ExporterName[]) {
    await using exporter = await startExporter(name);
    using connection = await Deno.connect({ port: exporter.port });
    const buffer = new Uint8Array(65_536);
    for (let round = 0; round < 3; round++) {
      await connection.write(new TextEncoder().encode("GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n"));
      let answer = "";
      while (!answer.includes("Ready\n")) {
        const length = await connection.read(buffer);
        if (length === null) throw new Error(`${name} closed the connection after: ${answer}`);
        answer += new TextDecoder().decode(buffer.subarray(0, length));
      }
      assertStringIncludes(answer, "HTTP/1.1 200");
    }
  }
});
