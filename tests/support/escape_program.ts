/**
 * The CPU exporter with one more route, `/escape`, that tries what a taken-over exporter would try.
 *
 * The answer maps each attempt to the name of the error that stopped it, or to "succeeded".
 *
 * @module
 */
import { PROGRAM as CPU } from "../../exporters/cpu/main.ts";
import { runExporter } from "../../lib/exporter.ts";
import { type HttpRequest, jsonResponse } from "../../lib/http/message.ts";
import type { Exporter, ExporterContext, ExporterProgram } from "../../lib/program.ts";

const ATTEMPTS: Readonly<Record<string, (request: HttpRequest) => unknown>> = {
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "read /proc/self/environ": () => Deno.readTextFileSync("/proc/self/environ"),
  "list /": () => [...Deno.readDirSync("/")],
  "write a file": () => Deno.writeTextFileSync("/tmp/escaped", ""),
  "connect to itself": (request) => fetch(`http://${request.headers.get("host")}/-/ready`),
  "connect out": () => Deno.connect({ hostname: "192.0.2.1", port: 80 }),
  "listen": () => Deno.listen({ port: 0 }),
  "look up a name": () => Deno.resolveDns("example.org", "A"),
  "spawn a program": () => new Deno.Command("/bin/true").outputSync(),
  "load a library": () => Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {}),
  "read the environment": readEnvironment,
  "signal a process": () => Deno.kill(Deno.ppid, "SIGCONT"),
};

/** With `--ignore-env`, Deno answers that nothing is set. */
function readEnvironment(): void {
  if (Deno.env.get("PATH") === undefined) throw new Deno.errors.NotCapable("The environment is ignored");
}

async function attempt(request: HttpRequest): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  for (const [what, trial] of Object.entries(ATTEMPTS)) {
    try {
      await trial(request);
      results[what] = "succeeded";
    } catch (error) {
      results[what] = error instanceof Error ? error.name : String(error);
    }
  }
  return results;
}

/** The CPU exporter with the extra route. */
export const PROGRAM = {
  ...CPU,
  start(options: Parameters<typeof CPU.start>[0], _context: ExporterContext): Exporter {
    const exporter = CPU.start(options);
    return {
      ...exporter,
      handle: (request) =>
        request.path === "/escape" ? attempt(request).then((results) => jsonResponse(results)) : undefined,
    };
  },
} satisfies ExporterProgram<typeof CPU.manifest.flags>;

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
