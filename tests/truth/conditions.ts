/**
 * What befalls an exporter while it is held against its source: stops, and clocks that are set.
 *
 * @module
 */
import type { Fault } from "../faults/fault.ts";
import type { ClockShift } from "../support/clock_shift.ts";

const DAY_SECONDS = 86_400;

/** The process is stopped for seconds, and its clock is set and set right again. */
export function conditions(clock: ClockShift): Fault[] {
  return [
    {
      kind: "stopped and continued",
      what: "SIGSTOP, then SIGCONT",
      values: "no answer",
      inject: ({ exporter }) => exporter.kill("SIGSTOP"),
      heal: ({ exporter }) => exporter.kill("SIGCONT"),
    },
    ...[["a minute ahead", 60], ["a day ahead", DAY_SECONDS], ["a day back", -DAY_SECONDS]].map((
      [what, seconds],
    ): Fault => ({
      kind: "clock jumping",
      what: `the wall clock is set ${what}, and set right again`,
      values: "goes on",
      inject: () => clock.set(Number(seconds)),
      heal: () => clock.set(0),
    })),
  ];
}
