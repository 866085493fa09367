/**
 * What is wrong with a GPU or its driver, and what the operator can do.
 *
 * @module
 */
import type { Problem } from "../../lib/collector.ts";
import { CallTimeout } from "./call_lane.ts";
import { adviceFor, CODE, describeCode, NvmlError } from "./nvml_codes.ts";
import type { GpuOutcome } from "./nvml_session.ts";

/** Why `subject` could not be read; the same text from one scrape to the next while nothing changes. */
export function problemOf(subject: string, error: unknown): Problem {
  if (error instanceof CallTimeout) {
    const message = error.isHung
      ? `${subject} hangs: ${error.symbol} does not return; see "dmesg", and reboot if it does not recover`
      : `${subject} is too slow: its calls take seconds; see "dmesg", and whether the machine is overloaded`;
    return { reason: "timeout", message };
  }
  if (error instanceof NvmlError) {
    const { reason, advice } = adviceFor(error.code);
    return { reason, message: `${subject} is unavailable: ${error.message}; ${advice}` };
  }
  throw error;
}

/** What is wrong with one GPU. */
export function problemsOf(outcome: GpuOutcome): Problem[] {
  const name = `GPU ${outcome.index}`;
  if ("error" in outcome) return [problemOf(name, outcome.error)];
  const { failures, samples } = outcome.reading;
  const problems: Problem[] = [];
  const refused = [...failures].filter(([, code]) => code === CODE.NO_PERMISSION);
  if (refused.length > 0) {
    const { reason, advice } = adviceFor(CODE.NO_PERMISSION);
    const message = `${name} refuses values that every user may read: ${describe(refused)}; ${advice}`;
    problems.push({ reason, message });
  }
  const failed = [...failures].filter(([, code]) => code !== CODE.NO_PERMISSION);
  if (failed.length > 0) {
    const message = `${name}: some readings failed: ${describe(failed)}; see "nvidia-smi -q" and "dmesg"`;
    problems.push({ reason: "call_failed", message });
  }
  if (samples.impossible.length > 0) {
    problems.push({
      reason: "invalid",
      // Metrics, not values: garbage changes from scrape to scrape.
      message: `${name} reports impossible values, which are omitted: ${samples.impossible.join(", ")}; ` +
        `compare with "nvidia-smi -q"; if it lasts, see "dmesg", and update the driver or reset the GPU`,
    });
  }
  return problems;
}

function describe(failures: readonly [symbol: string, code: number][]): string {
  return failures.map(([symbol, code]) => `${symbol} returned ${describeCode(code)}`).join(", ");
}
