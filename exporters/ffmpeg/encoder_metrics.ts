/**
 * Metrics of what encodes the jobs, whether that is what was expected, and what ended them.
 *
 * @module
 */
import type { MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { type EncoderClass, encoderClass, expectsHardware, isHardware } from "./encoder_class.ts";
import type { Job } from "./job.ts";
import { RUN_ERRORS, type RunError } from "./report_error.ts";

/** Metrics of encoders and failures. */
export const ENCODER_METRICS = {
  fallback: {
    name: "ffmpeg_job_encoder_fallback",
    type: "gauge",
    help:
      "1 where the job should be encoded by hardware (by its parameter expect or its command) and its report shows a software encoder, 0 where it shows hardware; absent where nothing is expected or shown.",
    labels: ["job_id"],
  },
  byEncoder: {
    name: "ffmpeg_jobs_by_encoder",
    type: "gauge",
    help:
      "Jobs that go on, by what encodes them: software, a hardware interface (nvenc, qsv, vaapi, …), copy, or unknown; by their reports, parameters or commands.",
    labels: ["class"],
  },
  error: {
    name: "ffmpeg_job_error",
    type: "gauge",
    help:
      "1 with the class of the error or signal that ended the job's run, by its report; absent without one. The words stay in the report: they hold paths and URLs.",
    labels: ["job_id", "class"],
  },
  failed: {
    name: "ffmpeg_jobs_failed_total",
    type: "counter",
    help:
      "Runs since this exporter started that ended by an error or a signal, by class, as their reports show it.",
    labels: ["class"],
  },
} as const satisfies Record<string, MetricDefinition>;

/** Classes that are published even where no job has them. */
const USUAL_CLASSES: readonly (EncoderClass | "unknown")[] = ["software", "unknown"];

/** Adds the encoders of all jobs and the failures. */
export function addEncoders(
  snapshot: Snapshot,
  jobs: readonly Job[],
  failed: Readonly<Record<RunError, number>>,
): void {
  const counts = new Map<string, number>(USUAL_CLASSES.map((name) => [name, 0]));
  for (const job of jobs) {
    const labels = job.labels.job;
    snapshot.add(ENCODER_METRICS.fallback, fallbackOf(job), labels);
    if (job.error) snapshot.add(ENCODER_METRICS.error, 1, { ...labels, class: job.error });
    if (job.outcome !== undefined) continue;
    const name = classOf(job) ?? "unknown";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  for (const [name, count] of [...counts].sort()) {
    snapshot.add(ENCODER_METRICS.byEncoder, count, { class: name });
  }
  for (const error of RUN_ERRORS) snapshot.add(ENCODER_METRICS.failed, failed[error], { class: error });
}

/** What encodes a job, by what knows it best. */
function classOf({ reported, description, command, process }: Job): EncoderClass | undefined {
  return encoderClass(reported?.encoder ?? "") ?? encoderClass(description.info.encoder) ??
    encoderClass((command ?? process?.command)?.encoder ?? "");
}

/** 1 where a job that should be on hardware is not, 0 where it is, undefined where that is not known. */
function fallbackOf({ reported, description, command, process }: Job): number | undefined {
  const asked = encoderClass((command ?? process?.command)?.encoder ?? "");
  const isExpected = expectsHardware(description.expect) || isHardware(asked);
  if (!isExpected) return undefined;
  // A job that writes no report, but has the parameter, is held against its own command.
  const actual = encoderClass(reported?.encoder ?? "") ?? (description.expect ? asked : undefined);
  return actual && (isHardware(actual) ? 0 : 1);
}
