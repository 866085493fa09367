/**
 * Takes the reports of one job from standard input: `ffmpeg … 2>&1 | ffmpeg-exporter --stdin`.
 *
 * @module
 */
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { type Intake, ReportStream } from "./intake.ts";
import { describeJob } from "./job_description.ts";

/** Reads standard input to its end, or until it fails. Several encodes one after another are runs of the same job. */
export async function readStandardInput(
  intake: Intake,
  log: Logger,
  input: ReadableStream<Uint8Array> = Deno.stdin.readable,
): Promise<void> {
  const description = describeJob(new URLSearchParams());
  const { job } = intake.open({ id: "stdin", via: "stdin", description, startedMs: intake.board.nowMs() });
  const stream = new ReportStream(intake, { job });
  try {
    for await (const chunk of input) stream.push(chunk);
  } catch (error) {
    log.error(
      `Cannot read standard input any more: ${messageOf(error)}; start the exporter again with its job`,
    );
  }
  stream.end();
}
