/**
 * What a fault is, what must be seen of it, and the test that every one goes through.
 *
 * The process lives, every page is 200 and parses, no value is stale, `/health` says why, and it recovers.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ExporterName } from "../../exporters/catalog.ts";
import { eventually } from "../support/exporter_process.ts";
import { needs, needsRoot } from "../support/programs.ts";
import {
  assertFollows,
  assertLints,
  type Page,
  readPage,
  type Rig,
  type RigFactory,
  type RigOptions,
  sourceHealth,
  valueIn,
} from "../support/rigs/rig.ts";

/** The kinds of faults, in the order of the table. */
export const FAULT_KINDS = [
  "permission",
  "missing",
  "vanishing",
  "hanging",
  "lying",
  "restarting",
  "flooding",
  "disconnecting",
  "clock jumping",
  "out of file descriptors",
  "memory limit",
  "stopped and continued",
  "read-only file system",
] as const;
/** One of {@linkcode FAULT_KINDS}. */
export type FaultKind = typeof FAULT_KINDS[number];

/**
 * What becomes of the values:
 * - `withheld`: they are absent as long as the fault lasts
 * - `goes on`: they follow the source as if nothing were wrong
 * - `no answer`: nobody can scrape as long as the fault lasts, and the first page after it is true
 * - `ends`: the exporter ends with exit code 1, to be started again
 */
export type Outcome = "withheld" | "goes on" | "no answer" | "ends";

/** A fault of one exporter. */
export interface Fault<R extends Rig = Rig> {
  readonly kind: FaultKind;
  /** What happens, for the table. */
  readonly what: string;
  readonly values: Outcome;
  /** `exporter_source_up` meanwhile. @default 0 where values are withheld, else 1 */
  readonly up?: 0 | 1;
  /** A `reason` of `exporter_source_error` meanwhile; none: nothing is wrong with the source. */
  readonly reason?: string;
  /** What `/health` says of the source meanwhile, a part of it; where the exporter ends, what it says last. */
  readonly health?: string;
  /** What else is seen on `/metrics`, for the table and for `check`. */
  readonly metrics?: string;
  /** What `/health` goes on to say after it is over. @default nothing: the status is `ok` */
  readonly healthAfter?: string;
  /** It cannot happen to the same exporter twice, or its rig is another one afterwards. */
  readonly once?: boolean;
  /** It holds from the start. */
  readonly fromStart?: boolean;
  /** How the exporter is started for it. */
  readonly start?: RigOptions | ((resources: DisposableStack) => RigOptions | Promise<RigOptions>);
  /** Programs that the test needs. */
  readonly needs?: readonly string[];
  /** The test needs to make namespaces. */
  readonly needsNamespaces?: boolean;
  /** The `source` it is about, where that is not the rig's. */
  readonly source?: string;
  inject(rig: R): void | Promise<void>;
  heal(rig: R): void | Promise<void>;
  /** Looks at a page that was scraped meanwhile. */
  check?(page: Page, rig: R): void | Promise<void>;
}

/** The faults of an exporter. */
export interface FaultSet<R extends Rig = Rig> {
  readonly exporter: ExporterName;
  readonly create: RigFactory<R>;
  readonly faults: readonly Fault<R>[];
  /** Programs that every one of the tests needs. */
  readonly needs?: readonly string[];
  /** Why there is no fault of a kind. */
  readonly impossible: Partial<Record<FaultKind, string>>;
}

/** How an exporter is started that may not open every file though it is root. */
export const WITHOUT_OVERRIDE: Pick<Fault, "needs" | "start"> = {
  needs: ["setpriv"],
  start: Deno.uid() === 0 ? { prefix: ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] } : {},
};

/** Registers a test for each fault. */
export function testFaults<R extends Rig>(set: FaultSet<R>): void {
  for (const fault of set.faults) {
    const { ignore } = needs("promtool", ...set.needs ?? [], ...fault.needs ?? []);
    Deno.test({
      name: `${set.exporter} exporter, ${fault.kind}: ${fault.what}`,
      ignore: ignore || (fault.needsNamespaces === true && needsRoot().ignore),
      fn: () => runFault(set, fault),
    });
  }
  Deno.test(`${set.exporter} exporter has a fault of each kind, or a reason why not`, () => {
    const tested = new Set(set.faults.map(({ kind }) => kind));
    for (const kind of FAULT_KINDS) assertEquals(!tested.has(kind), kind in set.impossible, kind);
  });
}

/** Pages that are looked at while a fault lasts. */
const PAGES = 3;
/** How long a scrape waits where no answer can come, in milliseconds. */
const NO_ANSWER_MS = 300;
/** Longest until a fault is seen or over, in milliseconds: a driver is asked again after some seconds. */
const SEEN_MS = 20_000;

async function runFault<R extends Rig>({ create }: FaultSet<R>, fault: Fault<R>): Promise<void> {
  using resources = new DisposableStack();
  const start = typeof fault.start === "function" ? await fault.start(resources) : fault.start;
  await using rig = await create({ ...start, ...(fault.fromStart && { absent: true }) });
  if (!fault.fromStart) {
    await eventually(() => assertWell(rig, undefined));
    await assertFollows(rig);
    await fault.inject(rig);
  }
  switch (fault.values) {
    case "ends":
      return await assertEnds(rig, fault);
    case "no answer":
      await assertNoAnswer(rig);
      break;
    default:
      await assertSeen(rig, fault);
  }
  await fault.heal(rig);
  if (fault.values === "no answer") await assertNotStale(rig);
  await eventually(() => assertWell(rig, fault), SEEN_MS);
  await assertFollows(rig);
  await assertLints(await readPage(rig));
  rig.exporter.kill("SIGTERM");
  assertEquals(await rig.exporter.exitCode, 0, rig.exporter.stderr());
}

async function assertSeen<R extends Rig>(rig: R, fault: Fault<R>): Promise<void> {
  const at = { exporter: rig.exporter, source: fault.source ?? rig.source };
  const look = async (): Promise<Page> => {
    const page = await readPage(rig);
    assertState(page, at.source, fault);
    if (fault.values === "withheld") assertEquals(valueIn(page, rig.canary), undefined, "the value is stale");
    await fault.check?.(page, rig);
    const { status, reason } = await sourceHealth(at);
    if (fault.health !== undefined) assertStringIncludes(reason, fault.health);
    if (fault.health !== undefined || fault.source === undefined) {
      assertEquals(status, fault.health === undefined ? "ok" : "degraded", reason);
    }
    return page;
  };
  await assertLints(await eventually(look, SEEN_MS));
  for (let pages = 1; pages < PAGES; pages++) await look();
  if (fault.values === "goes on" && !fault.once) await assertFollows(rig);
}

function assertState<R extends Rig>(page: Page, source: string, fault: Fault<R>): void {
  const up = fault.up ?? (fault.values === "withheld" ? 0 : 1);
  assertEquals(valueIn(page, { name: "exporter_source_up", labels: { source } }), up, "exporter_source_up");
  const errors = page.families.get("exporter_source_error")?.samples ?? [];
  const reasons = errors.filter(({ labels }) => labels.source === source).map(({ labels }) => labels.reason);
  assertEquals(reasons, fault.reason === undefined ? [] : [fault.reason]);
}

/** The source is up, and `/health` says nothing against it but what it should go on to say. */
async function assertWell<R extends Rig>(rig: R, fault: Fault<R> | undefined): Promise<void> {
  assert(valueIn(await readPage(rig), rig.canary) !== undefined, `no ${rig.canary.name}`);
  const { status, up, reason } = await sourceHealth(rig);
  assertEquals(up, true, reason);
  if (fault?.healthAfter === undefined) assertEquals(status, "ok", reason);
  else assertStringIncludes(reason, fault.healthAfter);
}

async function assertNoAnswer(rig: Rig): Promise<void> {
  const answered = await fetch(`${rig.exporter.url}/metrics`, { signal: AbortSignal.timeout(NO_ANSWER_MS) })
    .then((response) => response.text(), () => undefined);
  assertEquals(answered, undefined);
}

/** The first page after a pause shows values only of a source that was read since. */
async function assertNotStale(rig: Rig): Promise<void> {
  const page = await readPage(rig);
  const up = valueIn(page, { name: "exporter_source_up", labels: { source: rig.source } });
  assertEquals(valueIn(page, rig.canary) !== undefined, up === 1);
}

async function assertEnds<R extends Rig>(rig: R, fault: Fault<R>): Promise<void> {
  assertEquals(await rig.exporter.exitCode, 1);
  assertStringIncludes(rig.exporter.stderr(), fault.health ?? "");
}
