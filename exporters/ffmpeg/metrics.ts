/**
 * The metrics of running jobs, of the worker as a whole, and of taking reports.
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";
import { INFO_PARAMETERS } from "./job_description.ts";

/** Length of the window of the recent values, as HELP texts name it. */
const RECENT =
  "over the last 10 seconds, or between the last two reports where those are further apart, from the counters";

/** One encode; its series go when it has ended and `--job-ttl` has passed. */
export const JOB_METRICS = {
  info: {
    name: "ffmpeg_job_info",
    type: "gauge",
    help:
      "What the job reports of itself in its URL or file name, completed by its report's header, and by which way it reports; always 1.",
    labels: ["job_id", "via", ...INFO_PARAMETERS],
  },
  state: {
    name: "ffmpeg_job_state",
    type: "gauge",
    help:
      "1 for the state the job is in: running, stalled (no counter rose for --stall-after, and the next report is overdue), paused (its process is stopped by a signal), ended (ffmpeg reported the end, failed or not), lost (its reports stopped without an end, or its process is gone or has exited).",
    labels: ["job_id", "state"],
  },
  exitCode: {
    name: "ffmpeg_job_exit_code",
    type: "gauge",
    help: "Exit code of the job's process, as reported by POST /jobs/ID/exit; absent before that.",
    labels: ["job_id"],
  },
  frames: {
    name: "ffmpeg_job_frames_total",
    type: "counter",
    help:
      "Frames of the first video stream since the job began (ffmpeg's frame): written from version 7 on, handed to the encoder before.",
    labels: ["job_id"],
  },
  droppedFrames: {
    name: "ffmpeg_job_dropped_frames_total",
    type: "counter",
    help:
      "Frames left out to reach the output's frame rate since the job began, wanted or not (ffmpeg's drop_frames); until version 6 the sum over all outputs.",
    labels: ["job_id"],
  },
  duplicatedFrames: {
    name: "ffmpeg_job_duplicated_frames_total",
    type: "counter",
    help:
      "Frames repeated to reach the output's frame rate since the job began, wanted or not (ffmpeg's dup_frames); until version 6 the sum over all outputs.",
    labels: ["job_id"],
  },
  outputBytes: {
    name: "ffmpeg_job_output_bytes_total",
    type: "counter",
    help:
      "Size of the first output file, in bytes (ffmpeg's total_size); absent where ffmpeg writes N/A (HLS, segments, images, null).",
    labels: ["job_id"],
  },
  mediaSeconds: {
    name: "ffmpeg_job_media_seconds_total",
    type: "counter",
    help:
      "Time reached in the output, in seconds of media (ffmpeg's out_time_us); with -copyts before version 5 it includes the first timestamp.",
    labels: ["job_id"],
  },
  encodingSeconds: {
    name: "ffmpeg_job_encoding_seconds_total",
    type: "counter",
    help:
      "Wall clock since the job began, up to its end, in seconds; from the birth of its progress file where that is known.",
    labels: ["job_id"],
  },
  fps: {
    name: "ffmpeg_job_fps",
    type: "gauge",
    help: `Frames encoded per second ${RECENT}.`,
    labels: ["job_id"],
  },
  speed: {
    name: "ffmpeg_job_speed_ratio",
    type: "gauge",
    help: `Seconds of media encoded per second of wall clock ${RECENT}; 1 is realtime.`,
    labels: ["job_id"],
  },
  targetSpeed: {
    name: "ffmpeg_job_target_speed_ratio",
    type: "gauge",
    help: "Speed that the job must keep, by its target_speed parameter; absent where it gave none.",
    labels: ["job_id"],
  },
  outputRate: {
    name: "ffmpeg_job_output_bytes_per_second",
    type: "gauge",
    help: `Bytes written to the first output per second of media ${RECENT}; times 8 is the bitrate.`,
    labels: ["job_id"],
  },
  frameSeconds: {
    name: "ffmpeg_job_frame_seconds",
    type: "gauge",
    help: `Mean wall clock that a frame took to encode ${RECENT}, in seconds.`,
    labels: ["job_id"],
  },
  pixelRate: {
    name: "ffmpeg_job_pixels_per_second",
    type: "gauge",
    help: `Pixels encoded per second ${RECENT} and the width and height parameters.`,
    labels: ["job_id"],
  },
  averageFps: {
    name: "ffmpeg_job_average_fps",
    type: "gauge",
    help: "Frames per second since the job began, by ffmpeg's own account (fps); 0 during the first second.",
    labels: ["job_id"],
  },
  averageSpeed: {
    name: "ffmpeg_job_average_speed_ratio",
    type: "gauge",
    help: "Seconds of media per second since the job began, by ffmpeg's own account (speed).",
    labels: ["job_id"],
  },
  averageOutputRate: {
    name: "ffmpeg_job_average_output_bytes_per_second",
    type: "gauge",
    help: "Bytes of output per second of media since the job began, from ffmpeg's bitrate in kbit/s.",
    labels: ["job_id"],
  },
  quantizer: {
    name: "ffmpeg_job_quantizer",
    type: "gauge",
    help:
      "Quantizer of a video stream by ffmpeg's own account (stream_OUTPUT_STREAM_q); absent where the encoder does not report it.",
    labels: ["job_id", "output", "stream"],
  },
  deficit: {
    name: "ffmpeg_job_realtime_deficit_seconds",
    type: "gauge",
    help:
      "How far the output lags behind where target_speed (1 if not given) would have taken it since the job began, as of its last report, in seconds of media; negative is ahead.",
    labels: ["job_id"],
  },
  lastAdvance: {
    name: "ffmpeg_job_last_advance_timestamp_seconds",
    type: "gauge",
    help: "Unix time at which a counter of the job last rose, or at which it began, in seconds.",
    labels: ["job_id"],
  },
  progress: {
    name: "ffmpeg_job_progress_ratio",
    type: "gauge",
    help: "Part of the output that is done, 0 to 1, by the duration parameter.",
    labels: ["job_id"],
  },
  remaining: {
    name: "ffmpeg_job_remaining_seconds",
    type: "gauge",
    help: "Wall clock until the output is done at the recent speed, in seconds, by the duration parameter.",
    labels: ["job_id"],
  },
} as const satisfies Record<string, MetricDefinition>;

/** The worker: sums over all jobs since this exporter started, which outlive the jobs. */
export const WORKER_METRICS = {
  jobs: {
    name: "ffmpeg_jobs",
    type: "gauge",
    help: "Jobs now, by state.",
    labels: ["state"],
  },
  frames: {
    name: "ffmpeg_frames_total",
    type: "counter",
    help: "Frames of the first video stream of all jobs since this exporter started.",
  },
  droppedFrames: {
    name: "ffmpeg_dropped_frames_total",
    type: "counter",
    help: "Frames left out by all jobs to reach their frame rates since this exporter started.",
  },
  duplicatedFrames: {
    name: "ffmpeg_duplicated_frames_total",
    type: "counter",
    help: "Frames repeated by all jobs to reach their frame rates since this exporter started.",
  },
  mediaSeconds: {
    name: "ffmpeg_media_seconds_total",
    type: "counter",
    help: "Seconds of media written by all jobs since this exporter started.",
  },
  outputBytes: {
    name: "ffmpeg_output_bytes_total",
    type: "counter",
    help:
      "Bytes of the first outputs of all jobs since this exporter started; without those whose size ffmpeg does not report (HLS, segments, images, null).",
  },
  pixels: {
    name: "ffmpeg_pixels_total",
    type: "counter",
    help: "Pixels written since this exporter started by the jobs that gave their width and height.",
  },
  finished: {
    name: "ffmpeg_jobs_finished_total",
    type: "counter",
    help:
      "Jobs by how their reports stopped: ended (ffmpeg reported the end, failed or not), lost (cut off), stalled (cut off or given up while it stood still), rejected (never taken). One that had ended before this exporter started is not counted again.",
    labels: ["result"],
  },
  exited: {
    name: "ffmpeg_jobs_exited_total",
    type: "counter",
    help: "Exit codes reported by POST /jobs/ID/exit: success is 0.",
    labels: ["result"],
  },
  speed: {
    name: "ffmpeg_speed_ratio",
    type: "histogram",
    help: "Recent speed of each running or stalled job, sampled once a second.",
  },
} as const satisfies Record<string, MetricDefinition>;

/** Taking reports. */
export const INGEST_METRICS = {
  connections: {
    name: "ffmpeg_ingest_open_connections",
    type: "gauge",
    help: "Requests that bring reports and are open now, those refused included.",
  },
  blocks: {
    name: "ffmpeg_ingest_blocks_total",
    type: "counter",
    help: "Reports taken: blocks of -progress and status lines of ffmpeg's log.",
  },
  rejected: {
    name: "ffmpeg_ingest_rejected_total",
    type: "counter",
    help:
      "Requests refused: address (not in --ingest-from), duplicate (a job of that id runs), max_jobs (no room), cross_site (a web page sent it), busy (too many refused at once).",
    labels: ["reason"],
  },
  parseErrors: {
    name: "ffmpeg_ingest_parse_errors_total",
    type: "counter",
    help: "Values and lines of reports that could not be read.",
  },
} as const satisfies Record<string, MetricDefinition>;

/** The progress folder. */
export const FOLDER_METRICS = {
  files: {
    name: "ffmpeg_progress_files",
    type: "gauge",
    help: "Files in the progress folder that are followed, those of past jobs included.",
  },
} as const satisfies Record<string, MetricDefinition>;
