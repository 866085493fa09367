/**
 * Takes the reports of one job from standard input: `ffmpeg … 2>&1 | ffmpeg-exporter --stdin`.
 *
 * @module
 */
import { describeJob } from "./job_description.ts";
import type { JobBoard } from "./job_board.ts";
import { ProgressParser } from "./progress_parser.ts";

/** Reads standard input to its end. Several encodes one after another are runs of the same job. */
export async function readStandardInput(
  board: JobBoard,
  input: ReadableStream<Uint8Array> = Deno.stdin.readable,
): Promise<void> {
  const description = describeJob(new URLSearchParams());
  const opened = board.open({ id: "stdin", via: "stdin", description, startedMs: board.nowMs() });
  const parser = new ProgressParser({
    onBlock: (block) => {
      if (typeof job !== "string") job = board.report(job, block);
    },
    onError: () => void board.parseErrors++,
  });
  let job = opened;
  for await (const chunk of input) parser.push(chunk);
  parser.end();
  if (typeof job !== "string") board.close(job);
}
