/**
 * Counts the Xids of the GPUs. The driver tells each once, to whoever waits at that moment, so a wait is always
 * under way on a thread of its own.
 *
 * Xids: https://docs.nvidia.com/deploy/xid-errors/
 *
 * @module
 */
import { CallLane } from "./call_lane.ts";
import { Nvml, type NvmlEvent } from "./nvml.ts";
import { CODE, NvmlError } from "./nvml_codes.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import type { NvmlSymbols } from "./nvml_symbols.ts";

/** One wait, in milliseconds: how long ending may take. */
const WAIT_MS = 1000;
/** A wait that fails, as it does while a GPU is lost, fails at once: it is not repeated sooner than this. */
const PAUSE_MS = 1000;
/** More different Xids of one GPU than there are is garbage. */
const MAX_XIDS = 256;

/** How often an Xid was seen, and when last. */
export interface XidCount {
  readonly xid: number;
  count: number;
  lastMs: number;
}

/** The Xids since this process started, by the GPU's UUID; outlives the sessions with the driver. */
export class XidLog {
  readonly #counts = new Map<string, Map<number, XidCount>>();
  readonly #wallClockMs: () => number;

  constructor(wallClockMs: () => number = Date.now) {
    this.#wallClockMs = wallClockMs;
  }

  /** Counts an Xid of a GPU. */
  add(uuid: string, xid: number): void {
    const counts = this.#counts.get(uuid) ?? new Map<number, XidCount>();
    this.#counts.set(uuid, counts);
    if (counts.size >= MAX_XIDS && !counts.has(xid)) return;
    const count = counts.get(xid) ?? { xid, count: 0, lastMs: 0 };
    counts.set(xid, count);
    count.count++;
    count.lastMs = this.#wallClockMs();
  }

  /** The counts of a GPU by rising Xid. */
  of(uuid: string): readonly XidCount[] {
    return [...this.#counts.get(uuid)?.values() ?? []].sort((left, right) => left.xid - right.xid);
  }
}

/** Waits for Xids within one session with the driver. */
export class XidWatcher {
  readonly #nvml: Nvml;
  /** The event set that GPUs are registered in; undefined where the driver has none. */
  readonly #set: bigint | undefined;
  readonly #onXid: (event: NvmlEvent) => void;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  private constructor(nvml: Nvml, set: bigint | undefined, onXid: (event: NvmlEvent) => void) {
    this.#nvml = nvml;
    this.#set = set;
    this.#onXid = onXid;
  }

  /** Creates the event set; {@linkcode start} begins to wait. */
  static async create(symbols: NvmlSymbols, onXid: (event: NvmlEvent) => void): Promise<XidWatcher> {
    const nvml = new Nvml(symbols, new CallLane());
    return new XidWatcher(nvml, await nvml.createEventSet(), onXid);
  }

  /** Includes a GPU. A set that this spoils is not waited on any more: its session goes on without Xids. */
  async register(device: NvmlDevice): Promise<void> {
    if (this.#set === undefined || this.#stop.signal.aborted) return;
    if (!await Nvml.registerXids(device, this.#set)) this.#stop.abort();
  }

  /** Begins to wait, once the GPUs are registered. */
  start(): void {
    if (this.#set !== undefined) this.#loop = this.#watch(this.#set);
  }

  /** Ends the wait and frees the event set: resolves within about a second unless the driver hangs. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #watch(set: bigint): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const event = await this.#nvml.waitForXid(set, WAIT_MS);
        if (event) this.#onXid(event);
      } catch (error) {
        if (!(error instanceof NvmlError)) throw error;
        if (error.code === CODE.functionNotFound) break;
        await pause(PAUSE_MS, this.#stop.signal);
      }
    }
    await this.#nvml.freeEventSet(set);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
  });
}
