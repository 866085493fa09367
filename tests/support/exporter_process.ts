/**
 * Runs an exporter as its users do, as a process of its own with the permission flags of its task.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { CATALOG } from "../../exporters/catalog.ts";
import { denoFlags } from "../../lib/command_line.ts";
import type { Manifest } from "../../lib/manifest.ts";
import type { HealthReport } from "../../lib/server.ts";
import { packageFlags } from "../../scripts/package_flags.ts";
import { TOY } from "./toy.ts";

/** This project's folder. */
export const ROOT: string = fromFileUrl(new URL("../../", import.meta.url));

/** Every exporter, and the one that reads nothing. */
export const MANIFESTS = { ...CATALOG, toy: TOY } as const satisfies Record<string, Manifest>;

/** The module that runs an exporter. */
function scriptOf(name: keyof typeof MANIFESTS): string {
  return name === "toy" ? "tests/support/toy.ts" : `exporters/${name}/main.ts`;
}

/** How long an exporter may take to end before it is killed, in milliseconds. */
const STOP_TIMEOUT_MS = 2000;

/** Options of {@linkcode startExporter}. */
export interface StartOptions {
  /** Flags of the exporter; without a port among them it gets a free one. */
  args?: string[];
  /** Deno's flags in place of those of the exporter's task. */
  permissions?: string[];
  /** The module to run, relative to the project's folder. @default the exporter's own */
  script?: string;
  /** What to run in place of Deno and the module, such as a compiled exporter. */
  command?: readonly string[];
  /** Words before that: `["setpriv", "--reuid=65534"]`. */
  prefix?: string[];
  /** Environment variables to add. */
  env?: Record<string, string>;
}

/** A running exporter; disposing of it ends it. */
export interface ExporterProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The permission flags that it was started with. */
  readonly flags: readonly string[];
  /** Resolves with its exit code once it has ended. */
  readonly exitCode: Promise<number>;
  /** What it has written to standard error so far. */
  stderr(): string;
  metrics(init?: RequestInit): Promise<string>;
  health(): Promise<HealthReport>;
  kill(signal?: Deno.Signal): void;
}

/** The permission flags of an exporter's task, with its fixed port widened to any. */
export function testPermissions(name: keyof typeof MANIFESTS): string[] {
  return denoFlags(MANIFESTS[name]).map((flag) => flag.replace(/(--allow-net=)0\.0\.0\.0:\d+/, "$10.0.0.0"));
}

/** Starts an exporter and waits until it listens. @throws {Error} with its output when it ends instead */
export async function startExporter(
  name: keyof typeof MANIFESTS,
  options: StartOptions = {},
): Promise<ExporterProcess> {
  const { args = [], script = scriptOf(name), prefix = [], env = {} } = options;
  const permissions = options.permissions ?? testPermissions(name);
  const hasPort = args.some((arg) => /^--(?:port|web\.listen-address)/.test(arg));
  const words = [
    ...prefix,
    ...options.command ?? [Deno.execPath(), "run", ...packageFlags("tests"), ...permissions, script],
    ...(hasPort ? [] : ["--port=0"]),
    ...args,
  ];
  const [command = "", ...rest] = words;
  const child = new Deno.Command(command, {
    args: rest,
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env,
  }).spawn();
  let stderr = "";
  const port = Promise.withResolvers<number>();
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      stderr += text;
      const match = /address=\S+:(\d+)\s/.exec(stderr);
      if (match) port.resolve(Number(match[1]));
    }
    port.reject(new Error(`The exporter ended before it listened: ${stderr}`));
  })();
  port.promise.catch(() => {});
  const exitCode = child.status.then(({ code }) => code);
  const listening = await port.promise.catch(async (error) => {
    await exitCode;
    throw error;
  });
  const url = `http://127.0.0.1:${listening}`;
  const get = async (path: string, init?: RequestInit): Promise<Response> => {
    const response = await fetch(`${url}${path}`, init);
    if (!response.ok) throw new Error(`${path} answers ${response.status}: ${await response.text()}`);
    return response;
  };
  return {
    url,
    port: listening,
    pid: child.pid,
    flags: permissions,
    exitCode,
    stderr: () => stderr,
    metrics: async (init) => await (await get("/metrics", init)).text(),
    health: async () => await (await get("/health")).json(),
    kill: (signal = "SIGTERM") => child.kill(signal),
    async [Symbol.asyncDispose](): Promise<void> {
      const end = (signal: Deno.Signal): void => {
        try {
          child.kill(signal);
        } catch (error) {
          // It has ended by itself, as some tests want.
          if (!(error instanceof TypeError)) throw error;
        }
      };
      // Asked first, so that it can clean up; then made to.
      end("SIGTERM");
      const timer = setTimeout(() => end("SIGKILL"), STOP_TIMEOUT_MS);
      await exitCode;
      clearTimeout(timer);
      await reading;
    },
  };
}

/**
 * Calls `check` every 50 ms until it does not throw; after the timeout, fails with its last error.
 *
 * Long enough for two busy cores: only a test that fails waits for it.
 */
export async function eventually<T>(check: () => T | Promise<T>, timeoutMs = 30_000): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  while (true) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
