/**
 * What the page at `/` shows of jobs: a row each, with its speed as a small chart.
 *
 * @module
 */
import type { PageDescription } from "../../lib/page.ts";
import { ENCODER_METRICS } from "./encoder_metrics.ts";
import { JOB_METRICS } from "./metrics.ts";
import { PROCESS_METRICS } from "./process_metrics.ts";

/** The FFmpeg exporter's page. */
export const FFMPEG_PAGE: PageDescription = {
  title: "FFmpeg jobs",
  summary: "What each encode on this worker does now: whether it keeps up, stands still, or has ended.",
  chart: { metric: JOB_METRICS.speed.name, unit: "x", labels: ["job_id"] },
  table: {
    key: ["job_id"],
    columns: [
      { metric: JOB_METRICS.state.name, title: "State", label: "state" },
      { metric: JOB_METRICS.speed.name, title: "Speed", unit: "x" },
      { metric: JOB_METRICS.fps.name, title: "Frames per second", unit: "fps" },
      { metric: JOB_METRICS.progress.name, title: "Done", unit: "ratio" },
      { metric: JOB_METRICS.remaining.name, title: "Time left", unit: "s" },
      { metric: JOB_METRICS.deficit.name, title: "Behind realtime", unit: "s" },
      { metric: JOB_METRICS.frames.name, title: "Frames" },
      { metric: JOB_METRICS.mediaSeconds.name, title: "Media", unit: "s" },
      { metric: JOB_METRICS.outputBytes.name, title: "Output", unit: "B" },
      { metric: JOB_METRICS.info.name, title: "Encoder", label: "encoder" },
      { metric: PROCESS_METRICS.jobCpu.name, title: "CPU", unit: "s" },
      { metric: ENCODER_METRICS.error.name, title: "Error", label: "class" },
      { metric: JOB_METRICS.exitCode.name, title: "Exit code" },
    ],
  },
};
