/**
 * Work for a GPU to be compared under, by what the machine has.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";

/** Programs that loads are made with. */
export interface LoadTools {
  readonly ffmpeg: string;
  readonly cuda: string;
}

const SOURCE = "-f lavfi -i testsrc2=size=1920x1080:rate=60";
const CUDA_LOAD = fromFileUrl(new URL("./cuda_load.ts", import.meta.url));
/** How long a load runs before values are compared. */
const SETTLE_MS = 4_000;
/** How long a load runs at most, should nobody end it. */
const LONGEST_SECONDS = 60;

/** Commands that keep a part of the card at work, by what they do. */
export const LOADS: Readonly<Record<string, (tools: LoadTools) => readonly string[]>> = {
  "under an NVENC load": ({ ffmpeg }) =>
    `${ffmpeg} -hide_banner -loglevel error -re ${SOURCE} -t ${LONGEST_SECONDS} -c:v h264_nvenc -f null -`
      .split(
        " ",
      ),
  // Two seconds that the CPU encoded, over and over, from a file that ends with its reader.
  "under an NVDEC load": ({ ffmpeg }) => [
    "sh",
    "-ec",
    `film=$(mktemp); ${ffmpeg} -hide_banner -loglevel error ${SOURCE} -t 2 -c:v libx264 -preset ultrafast ` +
    `-f mpegts -y "$film"; exec 3<"$film"; rm "$film"; exec ${ffmpeg} -hide_banner -loglevel error ` +
    `-stream_loop -1 -re -c:v h264_cuvid -i /proc/self/fd/3 -t ${LONGEST_SECONDS} -f null -`,
  ],
  "under a CUDA load": ({ cuda }) => [
    Deno.execPath(),
    "run",
    "--no-config",
    "--allow-ffi",
    CUDA_LOAD,
    cuda,
    String(LONGEST_SECONDS),
  ],
};

/** Runs `round` while a command works. Returns what it returned, or why the command does not work here. */
export async function underLoad(
  [command = "", ...args]: readonly string[],
  round: () => Promise<number>,
): Promise<number | { readonly reason: string }> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { reason: `${command} is not installed` };
  }
  let ended: Deno.CommandOutput | undefined;
  const output = child.output().then((output) => ended = output);
  await Promise.race([output, new Promise((resolve) => setTimeout(resolve, SETTLE_MS))]);
  const code = ended ? NaN : await round();
  // Once the load has ended, the card was not at work.
  if (ended) return { reason: reasonOf(ended) };
  child.kill();
  await output;
  return code;
}

function reasonOf({ code, stdout, stderr }: Deno.CommandOutput): string {
  const texts = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes).trim());
  return texts.join("\n").trim().split("\n")[0] || `it ended with ${code}`;
}
