/**
 * Faults that can meet every exporter, whatever it reads: of its clients, its process and its machine.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/exporter_process.ts";
import { readPage, type Rig, valueIn } from "../support/rigs/rig.ts";
import { ClockShift } from "../support/clock_shift.ts";
import { anonymousBytes, openFiles, setOpenFileLimit } from "../support/process_state.ts";
import type { Fault } from "./fault.ts";

/** What differs between exporters. */
export interface AnyFaultOptions<R extends Rig> {
  /** What is seen when no file can be opened any more; left out for an exporter that opens none. */
  readonly noDescriptors?: Pick<Fault, "values" | "up" | "reason" | "health" | "healthAfter" | "metrics">;
  /** Makes it open its source again, where it would go on with what is open. */
  readonly reopen?: (rig: R) => Promise<void>;
}

const CLIENTS = 200;
const DAY_SECONDS = 86_400;
/** The heap that an exporter must do with while it is flooded, in MiB. */
const HEAP_MIB = 48;
/** What a flood may add to memory that is not a file's, in bytes. */
const FLOOD_BYTES = 96 * 1024 * 1024;

/** The faults for one exporter. */
export function anyFaults<R extends Rig>(
  { noDescriptors, reopen }: AnyFaultOptions<R> = {},
): Fault<R>[] {
  return [
    {
      kind: "flooding",
      what: `${CLIENTS} clients scrape at once, again and again`,
      values: "goes on",
      metrics: "every answer is 200, or 503 beyond 40 scrapes that wait at once; the next scrape is whole",
      inject: (rig) => flood(rig),
      heal: () => {},
    },
    {
      kind: "disconnecting",
      what: `${CLIENTS} clients send half a request or hang up in the middle of the answer`,
      values: "goes on",
      inject: (rig) => hangUp(rig),
      heal: () => {},
    },
    clockFault("a day ahead", DAY_SECONDS),
    clockFault("a day back", -DAY_SECONDS),
    ...(noDescriptors ? [noFileFault(noDescriptors, reopen)] : []),
    // A source that is not opened for each reading goes on.
    waitingClientFault(reopen ? "goes on" : noDescriptors?.values ?? "goes on"),
    {
      kind: "memory limit",
      what: `it may use ${HEAP_MIB} MiB of heap while ${CLIENTS} clients scrape`,
      values: "goes on",
      start: { v8: `--max-old-space-size=${HEAP_MIB}` },
      inject: async (rig) => {
        const before = anonymousBytes(rig.exporter.pid);
        await flood(rig);
        const added = anonymousBytes(rig.exporter.pid) - before;
        assert(added < FLOOD_BYTES, `the flood leaves ${Math.round(added / 1e6)} MB behind`);
      },
      heal: () => {},
    },
    {
      kind: "stopped and continued",
      what: "SIGSTOP for two seconds, then SIGCONT",
      values: "no answer",
      inject: async (rig) => {
        rig.exporter.kill("SIGSTOP");
        await pause(2_000);
      },
      heal: (rig) => rig.exporter.kill("SIGCONT"),
    },
    {
      kind: "read-only file system",
      what: "the whole file system is read-only for it",
      values: "goes on",
      needs: ["unshare"],
      needsNamespaces: true,
      start: { prefix: ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"] },
      inject: () => {},
      heal: () => {},
    },
  ];
}

/** The client that had to wait is answered. */
function waitingClientFault(values: Fault["values"]): Fault {
  let client: Deno.TcpConn | undefined;
  return {
    kind: "out of file descriptors",
    what: "there is none even for the next client, who waits",
    // Of many scrapes, one would take a new connection sooner or later.
    once: true,
    values,
    source: "http",
    up: 0,
    reason: "descriptors",
    health: "Too many open files",
    metrics: "`exporter_accept_failures_total` counts; the client that waits is answered once it is over",
    needs: ["prlimit"],
    inject: async (rig) => {
      await Promise.all(Array.from({ length: 8 }, () => readPage(rig)));
      await setOpenFileLimit(rig.exporter.pid, 3);
      client = await Deno.connect({ port: rig.exporter.port });
      await client.write(new TextEncoder().encode("GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n"));
    },
    heal: async (rig) => {
      using waiting = client;
      await setOpenFileLimit(rig.exporter.pid, 4096);
      const buffer = new Uint8Array(1024);
      const length = await waiting?.read(buffer) ?? 0;
      assertStringIncludes(new TextDecoder().decode(buffer.subarray(0, length)), "HTTP/1.1 200");
    },
  };
}

function noFileFault<R extends Rig>(
  seen: NonNullable<AnyFaultOptions<R>["noDescriptors"]>,
  reopen: AnyFaultOptions<R>["reopen"],
): Fault<R> {
  return {
    kind: "out of file descriptors",
    what: "no file or socket can be opened any more; the scraper is connected",
    once: true,
    ...seen,
    needs: ["prlimit"],
    inject: async (rig) => {
      // The connections of this process that a scrape may take are open by then.
      await Promise.all(Array.from({ length: 8 }, () => readPage(rig)));
      await setOpenFileLimit(rig.exporter.pid, 3);
      await reopen?.(rig);
    },
    heal: (rig) => setOpenFileLimit(rig.exporter.pid, 4096),
  };
}

function clockFault(where: string, seconds: number): Fault {
  let clock: ClockShift | undefined;
  return {
    kind: "clock jumping",
    what: `the wall clock is set ${where}, and set right again`,
    values: "goes on",
    needs: ["cc"],
    start: async (resources) => ({ env: (clock = resources.use(await ClockShift.create())).env }),
    inject: () => clock?.set(seconds),
    check: (page) => {
      const told = valueIn(page, { name: "exporter_last_success_timestamp_seconds" }) ?? NaN;
      assertAlmostEquals(told, Date.now() / 1000 + seconds, 30);
    },
    heal: () => clock?.set(0),
  };
}

/** Scrapes with many connections at once. */
async function flood({ exporter }: Rig): Promise<void> {
  const scrape = async (): Promise<number> => {
    const connection = await Deno.connect({ port: exporter.port });
    try {
      await connection.write(REQUEST);
      const { readable } = connection;
      const text = await new Response(readable).text();
      return Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
    } catch (error) {
      connection.close();
      throw error;
    }
  };
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: CLIENTS }, scrape));
    for (const status of answers) assert(status === 200 || status === 503, `the answer is ${status}`);
    assert(answers.includes(200), "no client was served");
  }
}

const REQUEST = new TextEncoder().encode("GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");

async function hangUp({ exporter }: Rig): Promise<void> {
  const before = openFiles(exporter.pid);
  await Promise.all(Array.from({ length: CLIENTS }, async (_, index) => {
    using connection = await Deno.connect({ port: exporter.port });
    const isWhole = index % 3 === 0;
    await connection.write(REQUEST.subarray(0, isWhole ? REQUEST.length : index % REQUEST.length));
    if (isWhole) await connection.read(new Uint8Array(10));
    else await pause(500);
  }));
  await eventually(() => assert(openFiles(exporter.pid) <= before + 1, "descriptors are left open"));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
