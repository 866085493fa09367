/**
 * Starts the whole exporter on a real card as its task does, and reports what it answers.
 *
 * @module
 */
import { MANIFEST } from "../../exporters/gpu/manifest.ts";
import { denoFlags } from "../../lib/command_line.ts";

/** Longest wait for the first page with values, in milliseconds: attaching GPUs takes seconds. */
const FIRST_PAGE_MS = 20_000;

/** Hides every GPU from the words that follow, as a container without its devices does. */
const WITHOUT_DEVICES = [
  "unshare",
  "-m",
  "sh",
  "-c",
  'for device in /dev/nvidia*; do [ ! -c "$device" ] || mount --bind /dev/null "$device"; done; exec "$@"',
  "sh",
];

/** Ways to start it: words before Deno, and what is done to Deno's flags. */
const FORMS: Readonly<Record<string, { prefix?: readonly string[]; edit?: (flag: string) => string }>> = {
  "the exporter as its task starts it": {},
  "the exporter with --jitless": {
    edit: (flag) => flag.replace(/^(--v8-flags=(?!.*--jitless).*)$/, "$1,--jitless"),
  },
  "the exporter without its devices": { prefix: WITHOUT_DEVICES },
};

/** Starts it in each way; a line for each. `nvml` is the library, where it is not at its usual places. */
export async function* checkExporter(nvml: string | undefined): AsyncGenerator<string> {
  const setup = (await Deno.readTextFile(".setup/flags")).trim().split(/\s+/).filter(Boolean);
  for (const [title, { prefix = [], edit = (flag: string) => flag }] of Object.entries(FORMS)) {
    const port = freePort();
    const args = ["--host=127.0.0.1", `--port=${port}`, ...(nvml === undefined ? [] : [`--nvml=${nvml}`])];
    const flags = denoFlags(MANIFEST, args).map(edit);
    const words = [...prefix, Deno.execPath(), "run", ...setup, ...flags, "exporters/gpu/main.ts", ...args];
    yield `${title}: ${await answerOf(words, `http://127.0.0.1:${port}`)}`;
  }
}

async function answerOf([command = "", ...args]: readonly string[], url: string): Promise<string> {
  const child = new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
  const output = child.output();
  let hasEnded = false;
  output.then(() => hasEnded = true);
  const endMs = performance.now() + FIRST_PAGE_MS;
  let answer = "it does not answer";
  while (!hasEnded && performance.now() < endMs) {
    const startedMs = performance.now();
    const page = await get(`${url}/metrics`);
    const tookMs = performance.now() - startedMs;
    const { sources: [source] } = JSON.parse(await get(`${url}/health`) ?? '{"sources":[]}');
    const series = page?.match(/^gpu_\w+\{/gm)?.length ?? 0;
    if (source) answer = `${series} series in ${tookMs.toFixed(0)} ms; ${source.reason || "no problem"}`;
    if (series > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (hasEnded) {
    return `it ended: ${new TextDecoder().decode((await output).stderr).trim().split("\n").at(-1)}`;
  }
  child.kill();
  await output;
  return answer;
}

async function get(url: string): Promise<string | undefined> {
  try {
    return await (await fetch(url)).text();
  } catch (error) {
    // It does not listen yet.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
