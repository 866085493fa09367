/**
 * The CPU exporter with one route more, at which its own process tries what it must not be able to do.
 *
 * @module
 */
import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { PROGRAM } from "../../exporters/cpu/main.ts";
import { runExporter } from "../../lib/exporter.ts";
import { jsonResponse } from "../../lib/http/message.ts";
import type { Exporter } from "../../lib/program.ts";

/** What the process tries once it serves. Each has to fail. */
const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  "read a file": () => Deno.readTextFileSync("/etc/hostname"),
  "read a file through Node": () => readFileSync("/etc/hostname"),
  "read beside the tree": () => Deno.readTextFileSync("/run/powercap/../../etc/hostname"),
  "read its own source": () => Deno.readTextFileSync(new URL(import.meta.url)),
  "read /sys": () => [...Deno.readDirSync("/sys/devices/virtual")],
  "read /proc": () => Deno.readTextFileSync("/proc/self/environ"),
  "write": () => Deno.writeTextFileSync("/tmp/powercap-escape", ""),
  "write into the tree": () => Deno.writeTextFileSync("/run/powercap/escape", ""),
  "remove from the tree": () => Deno.removeSync("/run/powercap/intel-rapl", { recursive: true }),
  "connect to itself": () => Deno.connect({ hostname: "127.0.0.1", port: 9510 }),
  "connect to the address it listens on": () => Deno.connect({ hostname: "0.0.0.0", port: 9510 }),
  "fetch from itself": () => fetch("http://0.0.0.0:9510/health"),
  "connect elsewhere": () => Deno.connect({ hostname: "192.0.2.1", port: 443 }),
  "connect through Node": () =>
    new Promise((resolve, reject) =>
      connect(9510, "127.0.0.1", () => resolve(undefined)).on("error", reject)
    ),
  "look up a name": () => Deno.resolveDns("example.org", "A"),
  "listen": () => Deno.listen({ port: 0 }),
  "listen again": () => Deno.listen({ hostname: "0.0.0.0", port: 9510 }),
  "run a program": () => new Deno.Command("true").outputSync(),
  "run a program through Node": () => {
    const { error } = spawnSync("true");
    if (error) throw error;
  },
  "load a library": () => Deno.dlopen("libc.so.6", {}),
  "read the environment": () => Deno.env.get("PATH"),
  "read about the system": () => Deno.osRelease(),
  "import a file": () => import(`${"/etc"}/escape.ts`),
  "import from the network": () => import(`${"https"}://192.0.2.1/escape.ts`),
  "import from a host that Deno trusts": () => import(`${"https"}://deno.land/escape.ts`),
  "ask for more": async () => {
    const { state } = await Deno.permissions.request({ name: "run" });
    if (state !== "granted") throw new Error(`permission ${state}`);
  },
};

async function attemptAll(): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(ATTEMPTS)) {
    try {
      await attempt();
      results[name] = "allowed";
    } catch (error) {
      results[name] = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
  }
  return results;
}

const start: typeof PROGRAM.start = (options): Exporter => ({
  ...PROGRAM.start(options),
  handle: (request) =>
    request.path === "/attempts" ? attemptAll().then((results) => jsonResponse(results)) : undefined,
});

if (import.meta.main) Deno.exit(await runExporter({ ...PROGRAM, start }, Deno.args));
