/**
 * Counts the Xids of the GPUs. The driver reports each once, to whoever waits at that moment, so one call always
 * waits, on its own thread.
 *
 * Xids: https://docs.nvidia.com/deploy/xid-errors/
 *
 * @module
 */
import { CallLane } from "./call_lane.ts";
import { NvmlCalls } from "./nvml_calls.ts";
import { CODE, isAbsent } from "./nvml_codes.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { AT_START_8, NvmlBuffer, STRUCTS } from "./nvml_structs.ts";
import type { NvmlSymbols } from "./nvml_symbols.ts";

/** `nvmlEventTypeXidCriticalError`. */
const XID_EVENT = 0x8n;
/** Longest wait of one call, in milliseconds; stopping takes as long. */
const WAIT_MS = 1000;
/** Delay after a failed wait, in milliseconds: while a GPU is lost, waits fail at once. */
const PAUSE_MS = 1000;
/** Series of one GPU at most: there are fewer different Xids. */
const MAX_XIDS = 256;

/** How often an Xid occurred, and its last time. */
export interface XidCount {
  readonly xid: number;
  count: number;
  lastMs: number;
}

/** Xids since this process started, by the GPU's UUID; kept across sessions with the driver. */
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

/** Receives the GPU's handle and the Xid; 999 where the driver does not know it. */
export type OnXid = (handle: bigint, xid: number) => void;

/** Waits for Xids within one session with the driver. */
export class XidWatcher {
  readonly #calls: NvmlCalls;
  /** `nvmlEventSet_t` that GPUs are registered in; undefined where the driver has no events. */
  readonly #set: bigint | undefined;
  readonly #onXid: OnXid;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  private constructor(calls: NvmlCalls, set: bigint | undefined, onXid: OnXid) {
    this.#calls = calls;
    this.#set = set;
    this.#onXid = onXid;
  }

  /** Creates the event set; {@linkcode start} begins to wait. */
  static async create(symbols: NvmlSymbols, onXid: OnXid): Promise<XidWatcher> {
    const calls = new NvmlCalls(symbols, new CallLane());
    const out = new NvmlBuffer(8);
    const set = await calls.ok("nvmlEventSetCreate", out.bytes) ? out.u64(AT_START_8) : undefined;
    return new XidWatcher(calls, set, onXid);
  }

  /**
   * Includes a GPU. One that has no Xids leaves the set as it was. Where registering fails, the set is undefined
   * and no longer waited on: its session goes on without Xids.
   */
  async register(device: NvmlDevice): Promise<void> {
    if (this.#set === undefined || this.#stop.signal.aborted) return;
    const code = await device.code("nvmlDeviceRegisterEvents", device.handle, XID_EVENT, this.#set);
    if (code !== CODE.SUCCESS && !isAbsent(code)) this.#stop.abort();
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
    const { size, members } = STRUCTS.nvmlEventData_t;
    const event = new NvmlBuffer(size);
    while (!this.#stop.signal.aborted) {
      const code = await this.#calls.code("nvmlEventSetWait_v2", set, event.bytes, WAIT_MS);
      if (code === CODE.FUNCTION_NOT_FOUND) break;
      if (code === CODE.SUCCESS) {
        if (event.u64(members.eventType) !== XID_EVENT) continue;
        this.#onXid(event.u64(members.device), Number(event.u64(members.eventData)));
      } else if (code !== CODE.TIMEOUT) await pause(PAUSE_MS, this.#stop.signal);
    }
    await this.#calls.code("nvmlEventSetFree", set);
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
