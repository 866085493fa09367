/**
 * Holds one exporter against its source's account.
 *
 * @module
 */
import { soakExporter, type SoakOptions, type SoakResult } from "../soak/exporter_soak.ts";
import type { Subject } from "../soak/subjects.ts";
import { cpuSubject } from "./cpu.ts";
import { ffmpegSubject } from "./ffmpeg.ts";
import { gpuSubject } from "./gpu.ts";

/** The exporters, each on its source. */
export const TRUTH_SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  cpu: cpuSubject,
  gpu: gpuSubject,
  ffmpeg: ffmpegSubject,
};

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
  const unseen = subject.tracked.filter(({ name, lingerMs }) =>
    // One that lingers may never come: none is expected.
    lingerMs === undefined && !result.metrics.has(name)
  ).map(({ name }) => `${name} was on no page`);
  return { ...result, wrong: [...result.violations, ...unseen] };
}
