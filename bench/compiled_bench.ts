/**
 * Compiled exporters: size, start to first answered scrape, memory; beside a bare server compiled the same way,
 * and beside the base runtime, whose size they have.
 *
 * Needs `DENORT_BIN` where Deno's base binary cannot be downloaded.
 *
 * @module
 */
import { CATALOG } from "../exporters/catalog.ts";
import { compileAll } from "../scripts/compile.ts";
import { ROOT } from "../tests/support/exporter_process.ts";
import { type Findings, median, memory, type Row, startTarget, stopTarget, versionOf } from "./harness.ts";

const STARTS = 15;
const PORT = 19600;
const FOLDER = "dist/bench";

async function measure(name: string, command: string, args: readonly string[]): Promise<Row> {
  const target = { name, command, args, url: `http://127.0.0.1:${PORT}/metrics` };
  const starts: number[] = [];
  let used: Row = {};
  for (let index = 0; index < STARTS; index++) {
    const started = await startTarget(target);
    starts.push(started.startMs);
    if (index === STARTS - 1) {
      for (let scrape = 0; scrape < 100; scrape++) await (await fetch(target.url)).arrayBuffer();
      used = memory(started.child.pid);
    }
    await stopTarget(started);
  }
  return {
    size_mb: (await Deno.stat(command)).size / 1e6,
    start_ms: median(starts),
    slowest_start_ms: Math.max(...starts),
    ...used,
  };
}

/** Compiles `bench/bare_server.ts` with nothing around it. */
async function compileBareServer(): Promise<string> {
  const executable = `${ROOT}${FOLDER}/bare-server`;
  const compiler = Deno.env.get("DENO_COMPILE") || Deno.execPath();
  const { success, stderr } = await new Deno.Command(compiler, {
    args: [
      "compile",
      ...["--quiet", "--no-check", "--no-config", "--no-lock", "--no-prompt"],
      `--allow-net=0.0.0.0:${PORT}`,
      `--output=${executable}`,
      "bench/bare_server.ts",
    ],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(`Cannot compile the bare server: ${new TextDecoder().decode(stderr)}`);
  return executable;
}

/** Measures. Exporters have no sources here: a scrape tells so. */
export async function bench(): Promise<Findings> {
  const rows: Record<string, Row> = {};
  try {
    await Deno.mkdir(`${ROOT}${FOLDER}`, { recursive: true });
    rows["bare Deno.serve"] = await measure("bare", await compileBareServer(), [String(PORT), "1000"]);
    let version = "";
    await compileAll({ folder: FOLDER });
    for (const { artifact } of Object.values(CATALOG)) {
      const executable = `${ROOT}${FOLDER}/${artifact}`;
      rows[artifact] = await measure(artifact, executable, [`--port=${PORT}`]);
      version = await versionOf(executable, "--version");
    }
    const base = Deno.env.get("DENORT_BIN");
    if (base) rows["base runtime"] = { size_mb: (await Deno.stat(base)).size / 1e6 };
    return {
      versions: { compiled: version },
      rows,
      notes: [
        `Starts: median of ${STARTS}, from spawning to the first answered scrape. Memory: after a hundred scrapes.`,
        "No sources: no powercap tree, NVIDIA driver, progress folder or Docker Engine.",
      ],
    };
  } finally {
    await Deno.remove(`${ROOT}${FOLDER}`, { recursive: true });
  }
}
