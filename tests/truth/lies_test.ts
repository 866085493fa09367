/** Each fault that is put into the pages on purpose is found, and nothing is found in the pages themselves. */
import { assertEquals } from "@std/assert";
import type { MetricDefinition } from "../../lib/exposition.ts";
import { fallsByOne, lagsBehind, type Lie, oneReadingOld, wrongUnit } from "../soak/lies.ts";
import { needs } from "../support/programs.ts";
import { Random } from "../support/random.ts";
import { METRICS } from "../../exporters/gpu/metrics.ts";
import { GPU_ROWS } from "./gpu.ts";
import { CPU_ROWS } from "./cpu.ts";
import { PROCESS_ROWS } from "./process.ts";
import { isHeld, type Row } from "./row.ts";
import { judgeTruth } from "./run.ts";

/** Longer than a state may lag, and until a counter has counted. */
const SECONDS = 15;

/** Of the metrics with an account those of a type; `never` are 0 where nothing is wrong. */
function held<S>(
  rows: readonly Row<S>[],
  type: MetricDefinition["type"],
  never: readonly string[] = [],
): string[] {
  return rows.filter((row) => isHeld(row)).map(({ metric }) => metric)
    .filter((metric) => metric.type === type && !never.includes(metric.name)).map(({ name }) => name);
}

function never<S>(rows: readonly Row<S>[]): string[] {
  return rows.filter((row) => isHeld(row) && /: (?:0|there is none)$|, as events$/.test(row.against)).map((
    { metric },
  ) => metric.name);
}

const GPU_GAUGES = held(GPU_ROWS, "gauge");
/** What never changes has no previous reading. */
const FIXED: readonly MetricDefinition[] = [
  METRICS.devices,
  METRICS.expectedDevices,
  METRICS.up,
  METRICS.info,
  METRICS.processes,
  METRICS.clockMax,
  METRICS.memoryTotal,
  METRICS.memoryReserved,
];

const LIES: Readonly<Record<string, readonly Lie[]>> = {
  cpu: [
    wrongUnit([CPU_ROWS, PROCESS_ROWS].flatMap((rows) => [
      ...held(rows as readonly Row<unknown>[], "gauge", never(rows as readonly Row<unknown>[])),
      ...held(rows as readonly Row<unknown>[], "counter", never(rows as readonly Row<unknown>[])),
    ])),
    fallsByOne(held(CPU_ROWS, "counter", never(CPU_ROWS))),
  ],
  gpu: [
    wrongUnit([...GPU_GAUGES, ...held(GPU_ROWS, "counter", never(GPU_ROWS))]),
    fallsByOne(held(GPU_ROWS, "counter", never(GPU_ROWS))),
    oneReadingOld(GPU_GAUGES.filter((name) => !FIXED.some((metric) => metric.name === name))),
    lagsBehind([METRICS.performanceState.name, METRICS.eventReason.name, METRICS.rowRemappingPending.name]),
  ],
};

for (const [name, lies] of Object.entries(LIES)) {
  Deno.test({
    name: `${name}: every fault that is put into the pages is found, and none in the pages themselves`,
    ...needs("cc"),
    fn: async () => {
      const result = await judgeTruth(name, { random: new Random(1), seconds: SECONDS, say: () => {}, lies });
      assertEquals(result.wrong, []);
      const missed = result.lies.flatMap(({ what, found }) =>
        [...found].filter(([, times]) => times === 0).map(([metric]) => `${what}: ${metric}`)
      );
      assertEquals(missed, []);
    },
  });
}
