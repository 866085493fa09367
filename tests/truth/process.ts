/**
 * What every exporter says of itself, held against the kernel's account of its process.
 *
 * https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 *
 * @module
 */
import { COLLECT_METRICS } from "../../lib/collector.ts";
import { HTTP_METRICS } from "../../lib/http/server_collector.ts";
import { SELF_METRICS } from "../../lib/self_metrics.ts";
import { WEB_METRICS } from "../../lib/web/mod.ts";
import type { Row } from "./row.ts";

/** An exporter's process. */
export interface WatchedProcess {
  readonly pid: number;
  readonly name: string;
  /** The `source` labels that it has. */
  readonly sources: readonly string[];
  /** Unix times between which it started, in seconds. */
  readonly started: readonly [least: number, most: number];
}

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Metrics of every exporter. */
export const PROCESS_ROWS: readonly Row<WatchedProcess>[] = [
  {
    metric: SELF_METRICS.build,
    against: "its own name",
    labels: ["exporter"],
    account: ({ name }) => [[[name], 1]],
  },
  {
    metric: SELF_METRICS.cpu,
    against: "utime and stime of /proc/PID/stat",
    why: "0.03 s: the kernel shows whole ticks",
    isBetween: true,
    maxAgeMs: 2_500,
    tolerance: { absolute: 3 / TICKS_PER_SECOND },
    account: ({ pid }) => [[[], cpuSeconds(pid)]],
  },
  {
    metric: SELF_METRICS.memory,
    against: "resident pages of /proc/PID/statm",
    why: "a third: between two looks it rises and falls",
    isBetween: true,
    maxAgeMs: 2_500,
    tolerance: { relative: 1 / 3 },
    account: ({ pid }) => [[[], residentBytes(pid)]],
  },
  {
    metric: SELF_METRICS.start,
    against: "the moments before and after it was started",
    account: ({ started }) => [[[], started]],
  },
  {
    metric: COLLECT_METRICS.up,
    against: "a source that can be read",
    labels: ["source"],
    account: ({ sources }) => sources.map((source) => [[source], 1]),
  },
  {
    metric: COLLECT_METRICS.lastSuccess,
    against: "the clock: the source can be read all the time",
    labels: ["source"],
    isBetween: true,
    maxAgeMs: 3_000,
    account: ({ sources }) => sources.map((source) => [[source], Date.now() / 1000]),
  },
  {
    metric: COLLECT_METRICS.error,
    against: "a source that can be read: there is none",
    labels: ["source", "reason"],
    lingerMs: 3_000,
    account: () => [],
  },
  {
    metric: HTTP_METRICS.internalErrors,
    against: "requests that are none of its faults: 0",
    account: () => [[[], 0]],
  },
  {
    metric: HTTP_METRICS.acceptFailures,
    against: "file descriptors that are there: 0",
    account: () => [[[], 0]],
  },
  {
    metric: HTTP_METRICS.evicted,
    against: "two scrapers, for whom there is room: 0",
    account: () => [[[], 0]],
  },
  {
    metric: COLLECT_METRICS.failures,
    because: "faults of the table, in tests/faults/; a clock that is set may cost a reading",
  },
  {
    metric: COLLECT_METRICS.duration,
    because: "only its own clock sees it: tests/lib/collector_test.ts, with a clock of the test's",
  },
  { metric: SELF_METRICS.lag, because: "only its own clock sees it, from inside" },
  { metric: SELF_METRICS.simulated, because: "absent here; tests/simulation/ has it" },
  { metric: WEB_METRICS.expiry, because: "absent without TLS; tests/lib/web/ has certificates" },
];

function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentBytes(pid: number): number {
  return Number(Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[1]) * PAGE_BYTES;
}
