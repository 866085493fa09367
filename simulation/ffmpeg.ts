/**
 * The FFmpeg exporter beside encodes for a demonstration: real ones of a generated picture where ffmpeg is
 * installed, otherwise the reports of recorded ones (`encodes/`, ffmpeg 5.1), replayed.
 *
 * Takes the exporter's own flags. The progress files lie in a temporary folder until it ends.
 *
 * @module
 */
import { CONTAINER_ID, ProcessTree } from "./process_tree.ts";
import { PROGRAM } from "../exporters/ffmpeg/main.ts";
import { runExporter } from "../lib/exporter.ts";
import type { Exporter } from "../lib/program.ts";

const REPORT_PERIOD_MS = 500;
/** Time between two encodes of the same kind. */
const PAUSE_MS = 3_000;

/** A kind of encode, of which one runs at a time. */
interface Kind {
  readonly name: string;
  /** What goes to `ffmpeg_job_info`. */
  readonly query: string;
  readonly args: readonly string[];
  /** Reports to replay where ffmpeg is missing. */
  readonly recording: string;
}

const ENCODER = ["-c:v", "libx264", "-preset", "veryfast", "-f", "null", "-"];
const KINDS: readonly Kind[] = [
  {
    name: "live",
    query: "encoder=libx264&preset=veryfast&width=640&height=360&framerate=25&target_speed=1",
    args: ["-readrate", "1", "-t", "120", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", ...ENCODER],
    recording: "live.progress",
  },
  {
    name: "library",
    query: "encoder=libx264&preset=veryfast&width=320&height=180&duration=75",
    args: ["-readrate", "2.5", "-t", "75", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", ...ENCODER],
    recording: "library.progress",
  },
];

/** Runs an encode and resolves when it has ended. */
type Run = (kind: Kind, progressFile: string, signal: AbortSignal) => Promise<void>;

async function encode({ args }: Kind, progressFile: string, signal: AbortSignal): Promise<void> {
  const command = new Deno.Command("ffmpeg", {
    args: ["-v", "error", "-nostdin", "-progress", progressFile, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal,
  });
  await command.output();
}

async function replay({ recording }: Kind, progressFile: string, signal: AbortSignal): Promise<void> {
  const text = await Deno.readTextFile(new URL(`./encodes/${recording}`, import.meta.url));
  await Deno.writeTextFile(progressFile, "");
  for (const block of text.split(/(?<=^progress=\w+\n)/m)) {
    if (signal.aborted) return;
    await Deno.writeTextFile(progressFile, block, { append: true });
    await delay(REPORT_PERIOD_MS, signal);
  }
}

async function isInstalled(): Promise<boolean> {
  try {
    return (await new Deno.Command("ffmpeg", { args: ["-version"], stdout: "null", stderr: "null" }).output())
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs encodes of a kind one after another. */
async function runForever(kind: Kind, { folder, run, signal }: {
  folder: string;
  run: Run;
  signal: AbortSignal;
}): Promise<void> {
  for (let number = 1; !signal.aborted; number++) {
    const file = `${folder}/${kind.name}-${number}?${kind.query}`;
    await run(kind, file, signal);
    await delay(PAUSE_MS, signal);
    await Deno.remove(file);
  }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

/** Share of a core that each process uses. */
const CPU_SHARE = 0.4;

/**
 * Shows a process for each encode that has a progress file, and one that reports nothing. The machine's own are closed
 * to an exporter that is not shown them.
 */
async function showProcesses(tree: ProcessTree, folder: string, signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  const pids = new Map<string, number>();
  const uptimeOf = (seconds: number): number => 1000 + seconds;
  const begun = new Map<number, number>();
  while (!signal.aborted) {
    const nowSeconds = (performance.now() - startMs) / 1000;
    tree.setUptime(uptimeOf(nowSeconds));
    const set = (pid: number, args: readonly string[], cgroup?: string): void => {
      const startSeconds = begun.get(pid) ?? nowSeconds;
      begun.set(pid, startSeconds);
      tree.set(pid, {
        args: ["ffmpeg", ...args],
        parentPid: 100,
        startSeconds: uptimeOf(startSeconds),
        cpuSeconds: CPU_SHARE * (nowSeconds - startSeconds),
        residentPages: 20_000,
        ...(cgroup && { cgroup, innerPid: 7 }),
      });
    };
    set(200, ["-i", "camera", "-c:v", "h264_vaapi", "out"], `0::/docker/${CONTAINER_ID}\n`);
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name);
    for (const name of files) {
      const pid = pids.get(name) ?? 201 + pids.size;
      pids.set(name, pid);
      set(pid, ["-progress", `${folder}/${name}`, "-i", "in", "-c:v", "libx264", "out"]);
    }
    for (const [name, pid] of pids) {
      if (!files.includes(name) && begun.delete(pid)) tree.remove(pid);
    }
    await delay(REPORT_PERIOD_MS, signal);
  }
}

async function main(): Promise<number> {
  using tree = new ProcessTree();
  const folder = await Deno.makeTempDir({ prefix: "ffmpeg-demo-" });
  const hasFfmpeg = await isInstalled();
  const over = new AbortController();
  const run = hasFfmpeg ? encode : replay;
  const running = [
    ...KINDS.map((kind) => runForever(kind, { folder, run, signal: over.signal })),
    showProcesses(tree, folder, over.signal),
  ];
  const start: typeof PROGRAM.start = (options, context): Exporter => {
    const exporter = PROGRAM.start(options, context);
    // The exporter gives back all that it does not name here, and the encodes go on.
    return { ...exporter, keep: [{ name: "read" }, { name: "write" }, { name: "run" }] };
  };
  try {
    return await runExporter({ ...PROGRAM, start }, [
      `--progress-dir=${folder}`,
      `--processes=${tree.path}`,
      ...Deno.args,
    ], {
      simulated: hasFfmpeg ? "ffmpeg encodes a generated picture" : "recorded encodes, replayed",
    });
  } finally {
    over.abort();
    await Promise.allSettled(running);
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main());
