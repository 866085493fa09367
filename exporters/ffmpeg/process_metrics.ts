/**
 * Metrics of ffmpeg processes. No command line, path or URL is among their labels: they hold stream keys.
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";

/** Each ffmpeg process, its job and the worker. */
export const PROCESS_METRICS = {
  processes: {
    name: "ffmpeg_processes",
    type: "gauge",
    help:
      "ffmpeg processes now, by state (running, paused: stopped by a signal, zombie) and by whether a job that reports is theirs, from /proc/PID/stat.",
    labels: ["state", "observed"],
  },
  info: {
    name: "ffmpeg_process_info",
    type: "gauge",
    help:
      "The process's pid on the host, its job (empty if it reports none), its container (12 digits, empty outside) and what encodes by its arguments (empty if they leave that to ffmpeg); always 1.",
    labels: ["pid", "job_id", "container", "encoder"],
  },
  cpu: {
    name: "ffmpeg_process_cpu_seconds_total",
    type: "counter",
    help:
      "CPU time of the process with all its threads, in seconds (utime + stime of /proc/PID/stat, in 1/100 s).",
    labels: ["pid"],
  },
  memory: {
    name: "ffmpeg_process_resident_memory_bytes",
    type: "gauge",
    help: "Resident memory of the process, in bytes (rss of /proc/PID/stat, in pages).",
    labels: ["pid"],
  },
  start: {
    name: "ffmpeg_process_start_time_seconds",
    type: "gauge",
    help:
      "Unix time at which the process started, in seconds (starttime of /proc/PID/stat, in 1/100 s since boot).",
    labels: ["pid"],
  },
  orphaned: {
    name: "ffmpeg_process_orphaned",
    type: "gauge",
    help: "1 if the program that started the process has gone: the process has another parent, 0 if not.",
    labels: ["pid"],
  },
  jobCpu: {
    name: "ffmpeg_job_cpu_seconds_total",
    type: "counter",
    help: "CPU time of the job's process, in seconds, as last seen; absent where its process is not known.",
    labels: ["job_id"],
  },
  waiting: {
    name: "ffmpeg_job_waiting",
    type: "gauge",
    help:
      "1 while the job stands still and its process, though not stopped, used no CPU time for three seconds: it waits for its input, or for whoever reads its output; 0 otherwise.",
    labels: ["job_id"],
  },
  machineCpu: {
    name: "ffmpeg_machine_cpu_seconds_total",
    type: "counter",
    help:
      "CPU time of the machine since boot, all processors together, by state: busy, or idle with waiting for I/O, in seconds (cpu of /proc/stat, in 1/100 s).",
    labels: ["state"],
  },
  workerCpu: {
    name: "ffmpeg_cpu_seconds_total",
    type: "counter",
    help: "CPU time of all ffmpeg processes since this exporter started, in seconds; it never falls.",
  },
} as const satisfies Record<string, MetricDefinition>;
