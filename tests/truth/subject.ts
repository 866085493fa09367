/**
 * An exporter on a source that has an account of its own, for the soak's machinery.
 *
 * @module
 */
import type { ExporterName } from "../../exporters/catalog.ts";
import type { Subject } from "../soak/subjects.ts";
import { ClockShift } from "../support/clock_shift.ts";
import type { ExporterProcess } from "../support/exporter_process.ts";
import type { Random } from "../support/random.ts";
import type { Rig, RigOptions, Series } from "../support/rigs/rig.ts";
import { conditions } from "./conditions.ts";
import { PROCESS_ROWS, type WatchedProcess } from "./process.ts";
import { type Row, trackedBy, truthOf } from "./row.ts";

/** A source and the exporter that reads it; disposing of it ends both. */
export interface Source extends AsyncDisposable {
  readonly exporter: ExporterProcess;
  /** Changes it a little. */
  churn(random: Random): void | Promise<void>;
  /** Looks at what is true, before the rows are asked. */
  look?(): Promise<void>;
  /** How long it took to answer lately, in milliseconds. */
  sourceMs?(): number;
  /** Lets it stand still. */
  rest?(): void;
}

/** What a subject is made of. */
export interface SubjectOptions<S extends Source> {
  readonly name: ExporterName;
  /** Values of the `source` label, the one that `/health` is asked about first. */
  readonly sources: readonly [string, ...string[]];
  readonly rows: readonly Row<S>[];
  /** How old a value may be, in milliseconds. */
  readonly maxAgeMs: number;
  /** Starts it; `options` has the probes of the soak and the clock, and goes to `startOnRig`. */
  readonly create: (options: RigOptions) => Promise<S>;
}

/** Starts it and the source. */
export async function createSubject<S extends Source>(options: SubjectOptions<S>): Promise<Subject> {
  const { name, sources: [source, ...others], rows, maxAgeMs } = options;
  await using resources = new AsyncDisposableStack();
  const clock = resources.use(await ClockShift.create());
  clock.set(0);
  const beforeMs = Date.now();
  const started = resources.use(
    await options.create({
      script: `tests/support/probes/${name}.ts`,
      v8: "--expose-gc",
      env: clock.env,
    }),
  );
  const watched: WatchedProcess = {
    pid: started.exporter.pid,
    name,
    sources: [source, ...others],
    started: [beforeMs / 1000, Date.now() / 1000],
  };
  const owned = resources.move();
  return {
    rig: new SourceRig(name, source, started, owned),
    faults: conditions(clock),
    tracked: [...trackedBy(rows), ...trackedBy(PROCESS_ROWS)],
    maxAgeMs,
    maxSeries: 2_500,
    isMoving: true,
    churn: (random) => started.churn(random),
    sourceMs: () => started.sourceMs?.() ?? 0,
    ...(started.rest && { rest: () => started.rest?.() }),
    truth: async () => {
      await started.look?.();
      return new Map([...truthOf(rows, started), ...truthOf(PROCESS_ROWS, watched)]);
    },
  };
}

/** What the soak needs of a rig: none of these faults takes the source away. */
class SourceRig implements Rig {
  readonly canary: Series = { name: "exporter_source_up" };

  constructor(
    readonly name: ExporterName,
    readonly source: string,
    private readonly started: Source,
    private readonly owned: AsyncDisposableStack,
  ) {}

  get exporter(): ExporterProcess {
    return this.started.exporter;
  }

  step(before: number): number {
    return before;
  }

  hide(): void {}

  show(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.owned[Symbol.asyncDispose]();
  }
}
