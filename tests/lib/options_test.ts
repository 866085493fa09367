import { assertEquals, assertThrows } from "@std/assert";
import { parseFlags } from "../../lib/command_line.ts";
import { oneOf, parseDurationMs, parseListenAddress, parsePort, UsageError } from "../../lib/options.ts";

const FLAGS = {
  "port": { help: "port", placeholder: "N", parse: parsePort },
  "interval": { help: "period", placeholder: "DURATION", parse: parseDurationMs, default: "1s" },
  "log.level": { help: "level", placeholder: "LEVEL", parse: oneOf(["info", "debug"]), default: "info" },
  "web.config.file": { help: "file", placeholder: "FILE" },
  "label": { help: "label", placeholder: "NAME", repeatable: true },
  "processes": { help: "per process" },
} as const;

Deno.test("parseFlags() gives each flag its value, its default or nothing", () => {
  assertEquals(parseFlags([], FLAGS), {
    "port": undefined,
    "interval": 1000,
    "log.level": "info",
    "web.config.file": undefined,
    "label": [],
    "processes": false,
  });
  assertEquals(
    parseFlags([
      "--port=80",
      "--interval",
      "500ms",
      "--log.level=debug",
      "--web.config.file",
      "/etc/web.yml",
      "--label=a",
      "--label",
      "b",
      "--processes",
    ], FLAGS),
    {
      "port": 80,
      "interval": 500,
      "log.level": "debug",
      "web.config.file": "/etc/web.yml",
      "label": ["a", "b"],
      "processes": true,
    },
  );
});

Deno.test("parseFlags() keeps a value as text, also when it looks like a number", () => {
  assertEquals(parseFlags(["--label=007", "--label=1e3"], FLAGS).label, ["007", "1e3"]);
});

const REJECTED: [string[], string][] = [
  [
    ["--port", "80a"],
    'Cannot use "--port" as it must be 1 to 65535, or 0 for any free port: current value is "80a"',
  ],
  [["--port", "65536"], 'Cannot use "--port" as it must be 1 to 65535'],
  [["--port=-1"], 'Cannot use "--port" as it must be 1 to 65535'],
  [["--port"], 'Cannot use "--port" as its value is missing: want "--port=N"'],
  [["--port="], 'Cannot use "--port" as its value is missing'],
  [["--port", "1", "--port", "2"], 'Cannot use "--port" as it must be given once: it is given 2 times'],
  [["--interval", "0s"], 'Cannot use "--interval" as it must be a duration such as "500ms"'],
  [["--interval", "1 s"], 'Cannot use "--interval" as it must be a duration'],
  [["--interval", "9999h"], 'Cannot use "--interval" as it must be a duration'],
  [
    ["--log.level", "loud"],
    'Cannot use "--log.level" as it must be one of info, debug: current value is "loud"',
  ],
  [["--prot", "1"], 'Cannot use "--prot" as there is no such flag'],
  [["--prot=secret"], 'Cannot use "--prot" as there is no such flag'],
  [["--no-processes"], 'Cannot use "--no-processes" as there is no such flag'],
  [["-p", "1"], 'Cannot use "-p" as there is no such flag'],
  [["extra"], 'Cannot use "extra" as only flags are taken'],
  [["--", "--label=a"], 'Cannot use "--label" as there is no such flag'],
  [["--processes", "--", "extra"], 'Cannot use "extra" as only flags are taken'],
];

for (const [args, message] of REJECTED) {
  Deno.test(`parseFlags() rejects ${JSON.stringify(args)}`, () => {
    assertThrows(() => parseFlags(args, FLAGS), UsageError, message);
  });
}

Deno.test("parseListenAddress() takes the forms that Prometheus exporters take", () => {
  assertEquals(parseListenAddress(":9510"), { hostname: "0.0.0.0", port: 9510 });
  assertEquals(parseListenAddress("127.0.0.1:1"), { hostname: "127.0.0.1", port: 1 });
  assertEquals(parseListenAddress("[::1]:9510"), { hostname: "::1", port: 9510 });
  for (const text of ["9510", "localhost", "::1:9510", "a:b", ":70000", ""]) {
    assertThrows(() => parseListenAddress(text), RangeError, "must be");
  }
});
