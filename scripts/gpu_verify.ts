/**
 * Verifies the GPU exporter on a real card: `deno task gpu:verify`, within eight minutes, with nothing from a
 * network. Needs an NVIDIA GPU and its driver.
 *
 * Compares every value with `nvidia-smi -q -x` of the same moment: idle, and while the card works (NVENC and
 * NVDEC by ffmpeg where both can, memory by CUDA in any case); measures a reading beside nvidia-smi; starts the
 * exporter as its task does, also with `--jitless`, and once without its devices. With `--record FOLDER` it keeps
 * the report and what driver and nvidia-smi printed, identifiers masked, for tests/fixtures/gpu/.
 *
 * Exit code 0: all values agree; 1: some do not; 2: there was nothing to compare, or time ran out.
 *
 * @module
 */
import { NvmlCollector } from "../exporters/gpu/collector.ts";
import { NVML_PATHS } from "../exporters/gpu/manifest.ts";
import { openNvmlLibrary } from "../exporters/gpu/nvml_library.ts";
import { SessionKeeper } from "../exporters/gpu/session_keeper.ts";
import { XidLog } from "../exporters/gpu/xid_watcher.ts";
import { parseFlags } from "../lib/command_line.ts";
import { createLogger } from "../lib/log.ts";
import { parseDurationMs, UsageError } from "../lib/options.ts";
import { compare, type Finding } from "./gpu_verify/compare.ts";
import { checkExporter } from "./gpu_verify/exporter.ts";
import { LOADS, underLoad } from "./gpu_verify/load.ts";
import { Recorder } from "./gpu_verify/record.ts";
import { type Element, elementsAt, parseXml, textAt } from "./gpu_verify/smi.ts";

const FLAGS = {
  "nvml": { placeholder: "PATH", help: "the NVIDIA library" },
  "cuda": { placeholder: "PATH", help: "the CUDA library, for a load", default: "libcuda.so.1" },
  "smi": { placeholder: "PATH", help: "nvidia-smi", default: "nvidia-smi" },
  "ffmpeg": { placeholder: "PATH", help: "ffmpeg, for a load", default: "ffmpeg" },
  "record": { placeholder: "FOLDER", help: "keep what was seen here" },
  "limit": {
    placeholder: "DURATION",
    help: "longest time all of it takes",
    parse: parseDurationMs,
    default: "8m",
  },
} as const;

/** Readings and runs of nvidia-smi that are timed. */
const TIMED = 10;
/** Longest a run of nvidia-smi takes on a driver in order. */
const SMI_MS = 30_000;

const lines: string[] = [];

function print(line: string): void {
  lines.push(line);
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseFlags(args, FLAGS);
  const timer = setTimeout(() => {
    print("Time is up: what is missing above was not verified");
    Deno.exit(2);
  }, options.limit);
  const recorder = new Recorder();
  const collector = createCollector(options.nvml, recorder);

  async function round(title: string): Promise<number> {
    await collector.collect();
    const before = await smi(options.smi);
    const { up, snapshot, problems } = await collector.collect();
    const after = await smi(options.smi);
    for (const { message } of problems) print(`problem: ${message}`);
    if (!up || !before || !after) return 2;
    const findings = compare(snapshot, [before.root, after.root]);
    if (!findings.some(({ theirs }) => theirs.length > 0)) return 2;
    await keep(options.record, title, {
      script: String(recorder),
      "nvidia-smi.xml": recorder.mask(after.text),
    });
    return report(title, before.root, findings);
  }

  const codes = [await round("idle")];
  if (codes[0] !== 2) {
    for (const [title, command] of Object.entries(LOADS)) {
      const code = await underLoad(command(options), () => round(title));
      if (typeof code === "number") codes.push(code);
      else print(`${title}: not tried: ${code.reason}`);
    }
    await time("a reading", () => collector.collect());
    await time("nvidia-smi -q -x", () => smi(options.smi));
    for await (const line of checkExporter(options.nvml)) print(line);
  }
  await keep(options.record, "", { "report.txt": recorder.mask(`${lines.join("\n")}\n`) });
  clearTimeout(timer);
  return Math.max(...codes);
}

function createCollector(path: string | undefined, recorder: Recorder): NvmlCollector {
  const xids = new XidLog();
  const keeper = new SessionKeeper({
    openLibrary: () => {
      const library = openNvmlLibrary({ paths: path === undefined ? NVML_PATHS : [path] });
      return { path: library.path, symbols: recorder.wrap(library.symbols) };
    },
    xids,
    log: createLogger(),
    processes: true,
    measurePcie: false,
  });
  return new NvmlCollector({ keeper, xids, intervalMs: 0 });
}

async function smi(command: string): Promise<{ text: string; root: Element } | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args: ["-q", "-x"],
      signal: AbortSignal.timeout(SMI_MS),
    }).output();
    const text = new TextDecoder().decode(stdout);
    if (success) return { text, root: parseXml(text) };
    print(`Cannot run "${command} -q -x": ${new TextDecoder().decode(stderr).trim()}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof SyntaxError)) throw error;
    print(`Cannot run "${command} -q -x": ${error.message}`);
  }
  return undefined;
}

function report(title: string, document: Element, findings: readonly Finding[]): number {
  const driver = textAt(document, "nvidia_smi_log/driver_version");
  const cards = elementsAt(document, "nvidia_smi_log/gpu").map((gpu) => textAt(gpu, "product_name"));
  print(`${cards.join(", ")}; driver ${driver}; ${title}:`);
  const count = (verdict: Finding["verdict"]): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  const bad = findings.filter(({ verdict }) => verdict === "differs" || verdict === "missing here");
  for (const { gpu, series, ours, theirs, verdict } of bad) {
    print(`  GPU ${gpu} ${series} ${verdict}: ${ours ?? "absent"}; nvidia-smi ${theirs.join(" and ")}`);
  }
  for (const { gpu, series, ours } of findings.filter(({ verdict }) => verdict === "only here")) {
    print(`  GPU ${gpu} ${series} only here: ${ours}`);
  }
  print(
    `  ${count("agrees")} agree, ${bad.length} do not, ${count("only here")} only here, ` +
      `${count("not compared")} that nvidia-smi does not show`,
  );
  return bad.length > 0 ? 1 : 0;
}

async function time(what: string, run: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let count = 0; count < TIMED; count++) {
    const startedMs = performance.now();
    await run();
    times.push(performance.now() - startedMs);
  }
  times.sort((left, right) => left - right);
  print(`${what}: ${times[TIMED >> 1]?.toFixed(1)} ms, the median of ${TIMED}`);
}

/** Writes files to a folder of the record, named after the round. */
async function keep(
  record: string | undefined,
  title: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  if (record === undefined) return;
  const folder = `${record}/${title.replaceAll(/\W+/g, "_")}`;
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    print(error.message);
    Deno.exit(2);
  }
}
