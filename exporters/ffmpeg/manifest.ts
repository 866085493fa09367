/**
 * What the FFmpeg exporter is.
 *
 * @module
 */
import type { Manifest } from "../../lib/manifest.ts";
import { parseDurationMs } from "../../lib/options.ts";
import { LOOPBACK, parseIpRanges } from "./ip_range.ts";
import { parseNameGlob } from "./name_glob.ts";

/** Where progress files usually are. */
const PROGRESS_FOLDER = "/run/ffmpeg-progress";

/** Its name, port and flags. */
export const MANIFEST = {
  name: "ffmpeg",
  port: 9506,
  portVariable: "FFMPEG_EXPORTER_PORT",
  artifact: "ffmpeg-exporter",
  measures: "running ffmpeg jobs",
  summary: "publishes ffmpeg's jobs and processes, from its reports and from /proc",
  reads: "what every ffmpeg reports (`-progress`, `FFREPORT`), and its process",
  needs: "ffmpeg 4 or newer; [docs/attach.md](docs/attach.md) has the ways to its reports",
  // ffmpeg may be anywhere, and come later.
  signs: ["/proc"],
  installedFlags: [`--progress-dir=${PROGRESS_FOLDER}`],
  scrape: { intervalSeconds: 5, timeoutSeconds: 4 },
  flags: {
    "progress-dir": {
      placeholder: "DIR",
      help: "folder with a progress file per job, named JOB or JOB?encoder=…&width=…; needs --allow-read=DIR",
      grants: (folder = PROGRESS_FOLDER) => ({ read: [folder] }),
    },
    "progress-match": {
      placeholder: "GLOB",
      help: "which files of that folder are reports, such as FFmpeg.*.log; all if not given",
      parse: parseNameGlob,
    },
    "processes": {
      placeholder: "DIR",
      help: "a bind mount of /proc, such as /run/host-proc, to see every ffmpeg; needs --allow-read=DIR",
      grants: (folder) => folder === undefined ? {} : { read: [folder] },
    },
    "process-name": {
      placeholder: "NAME",
      help: "name of a program that is ffmpeg (default ffmpeg)",
      repeatable: true,
    },
    "stdin": { help: "read one job's reports or ffmpeg's log from standard input, as job stdin" },
    "ingest-from": {
      placeholder: "CIDR,…",
      help: "addresses whose reports are taken over HTTP",
      parse: parseIpRanges,
      default: LOOPBACK,
    },
    "job-ttl": {
      placeholder: "TIME",
      help: "how long a job is shown after its end",
      parse: parseDurationMs,
      default: "2m",
    },
    "max-jobs": {
      placeholder: "N",
      help: "most jobs at once, those included that have ended and are still shown",
      parse: parseMaxJobs,
      default: "2000",
    },
    "stall-after": {
      placeholder: "TIME",
      help: "how long a job may stand still before it counts as stalled",
      parse: parseDurationMs,
      default: "10s",
    },
  },
} as const satisfies Manifest;

function parseMaxJobs(text: string): number {
  const jobs = Number(text);
  if (!/^\d+$/.test(text) || jobs < 1 || jobs > 100_000) throw new RangeError("must be 1 to 100000");
  return jobs;
}
