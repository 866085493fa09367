/**
 * Compares every value of the GPU exporter with `nvidia-smi -q -x` of the same moment: `deno task gpu:verify`.
 *
 * Needs an NVIDIA GPU. Compares once as it is, and once while ffmpeg encodes with NVENC where ffmpeg and the card
 * can. With `--record FILE` it writes what the driver answered, identifiers masked, for tests/fixtures/gpu/.
 * Exit code 0: all values agree; 1: some do not; 2: nothing to compare.
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
import { UsageError } from "../lib/options.ts";
import { compare, type Finding } from "./gpu_verify/compare.ts";
import { Recorder } from "./gpu_verify/record.ts";
import { type Element, elementsAt, parseXml, textAt } from "./gpu_verify/smi.ts";

const FLAGS = {
  "nvml": { placeholder: "PATH", help: "the NVIDIA library" },
  "smi": { placeholder: "PATH", help: "nvidia-smi", default: "nvidia-smi" },
  "ffmpeg": { placeholder: "PATH", help: "ffmpeg, for the load", default: "ffmpeg" },
  "record": { placeholder: "FILE", help: "write what the driver answered here" },
} as const;

/** How long ffmpeg runs before values are compared, and what a rate needs between two collections. */
const SETTLE_MS = 4_000;
const NVENC_LOAD =
  "-hide_banner -loglevel error -re -f lavfi -i testsrc2=size=1920x1080:rate=60 -t 30 -c:v h264_nvenc -f null -";

async function main(args: readonly string[]): Promise<number> {
  const options = parseFlags(args, FLAGS);
  const recorder = new Recorder();
  const xids = new XidLog();
  const paths = options.nvml === undefined ? NVML_PATHS : [options.nvml];
  const keeper = new SessionKeeper({
    openLibrary: () => {
      const { path, symbols } = openNvmlLibrary({ paths });
      return { path, symbols: recorder.wrap(symbols) };
    },
    xids,
    log: createLogger(),
    processes: true,
    measurePcie: false,
  });
  const collector = new NvmlCollector({ keeper, xids, intervalMs: 0 });
  const round = async (title: string): Promise<number> => {
    await collector.collect();
    const before = await smi(options.smi);
    const { up, snapshot, problems } = await collector.collect();
    const after = await smi(options.smi);
    for (const { message } of problems) say(`problem: ${message}`);
    if (!up || !before || !after) return 2;
    const findings = compare(snapshot, [before, after]);
    return findings.some(({ theirs }) => theirs.length > 0) ? report(title, before, findings) : 2;
  };
  const idle = await round("as it is");
  const codes = idle === 2
    ? [2]
    : [idle, await underLoad(options.ffmpeg, () => round("under an NVENC load"))];
  if (options.record) await Deno.writeTextFile(options.record, recorder.toString());
  return Math.max(...codes);
}

async function smi(command: string): Promise<Element | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args: ["-q", "-x"] }).output();
    if (success) return parseXml(new TextDecoder().decode(stdout));
    say(`Cannot run "${command} -q -x": ${new TextDecoder().decode(stderr).trim()}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof SyntaxError)) throw error;
    say(`Cannot run "${command} -q -x": ${error.message}`);
  }
  return undefined;
}

async function underLoad(ffmpeg: string, round: () => Promise<number>): Promise<number> {
  try {
    const child = new Deno.Command(ffmpeg, {
      args: NVENC_LOAD.split(" "),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    const ended = await Promise.race([
      output,
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), SETTLE_MS)),
    ]);
    if (ended) {
      say(
        `no load: ffmpeg cannot use NVENC here: ${
          new TextDecoder().decode(ended.stderr).trim().split("\n")[0]
        }`,
      );
      return 0;
    }
    const code = await round();
    child.kill();
    await output;
    return code;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    say("no load: ffmpeg is not installed");
    return 0;
  }
}

function report(title: string, document: Element, findings: readonly Finding[]): number {
  const driver = textAt(document, "nvidia_smi_log/driver_version");
  const cards = elementsAt(document, "nvidia_smi_log/gpu").map((gpu) => textAt(gpu, "product_name"));
  say(`${cards.join(", ")}; driver ${driver}; ${title}:`);
  const count = (verdict: Finding["verdict"]): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  const bad = findings.filter(({ verdict }) => verdict === "differs" || verdict === "missing here");
  for (const { gpu, series, ours, theirs, verdict } of bad) {
    say(`  GPU ${gpu} ${series} ${verdict}: ${ours ?? "absent"}; nvidia-smi ${theirs.join(" and ")}`);
  }
  for (const { gpu, series, ours } of findings.filter(({ verdict }) => verdict === "only here")) {
    say(`  GPU ${gpu} ${series} only here: ${ours}`);
  }
  say(
    `  ${count("agrees")} agree, ${bad.length} do not, ${count("only here")} only here, ` +
      `${count("not compared")} that nvidia-smi does not show`,
  );
  return bad.length > 0 ? 1 : 0;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(error.message);
    Deno.exit(2);
  }
}
