/**
 * Holds one exporter against its source's account.
 *
 * @module
 */
import { soakExporter, type SoakOptions, type SoakResult } from "../soak/exporter_soak.ts";
import type { Subject } from "../soak/subjects.ts";
import { busyLoops } from "../support/busy_loops.ts";
import { cpuSubject } from "./cpu.ts";
import { dockerSubject } from "./docker.ts";
import { ffmpegSubject } from "./ffmpeg.ts";
import { gpuSubject } from "./gpu.ts";

/** The exporters, each on its source. */
export const TRUTH_SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  cpu: cpuSubject,
  gpu: gpuSubject,
  ffmpeg: ffmpegSubject,
  docker: dockerSubject,
};

/** A run in which everything is seen. */
const LONG_SECONDS = 120;

/** What came of it. */
export interface TruthResult extends SoakResult {
  /** What was untrue, and metrics that have an account and were never on a page. */
  readonly wrong: readonly string[];
}

/** Judges an exporter for a while. @throws {RangeError} for a name that is none */
export async function judgeTruth(name: string, options: Omit<SoakOptions, "name">): Promise<TruthResult> {
  const create = TRUTH_SUBJECTS[name];
  if (!create) throw new RangeError(`There is no exporter "${name}" to judge`);
  const subject = await create();
  await using _rig = subject.rig;
  const result = await soakExporter(subject, { ...options, name });
  // What lingers may never come, and what may be absent needs a longer run.
  const unseen = subject.tracked.filter(({ name, lingerMs, mayBeAbsent }) =>
    lingerMs === undefined && (!mayBeAbsent || options.seconds >= LONG_SECONDS) && !result.metrics.has(name)
  ).map(({ name }) => `${name} was on no page`);
  return { ...result, wrong: [...result.violations, ...unseen] };
}

const LOAD_MS = 20_000;

/** Keeps the machine busy, twice as much as it can do, every other twenty seconds until it is disposed of. */
export function changingLoad(): Disposable {
  let load: Disposable | undefined;
  const timer = setInterval(() => {
    load?.[Symbol.dispose]();
    load = load ? undefined : busyLoops(2 * navigator.hardwareConcurrency);
  }, LOAD_MS);
  return {
    [Symbol.dispose](): void {
      clearInterval(timer);
      load?.[Symbol.dispose]();
    },
  };
}
