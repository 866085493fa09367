/**
 * Opens the session with the driver and re-opens it, with back-off, after failures: when there was no library or
 * driver, when a GPU was lost, added or removed, when the driver was reset.
 *
 * @module
 */
import { SourceError } from "../../lib/collector.ts";
import type { Logger } from "../../lib/log.ts";
import { CallLane } from "./call_lane.ts";
import type { ReadOptions } from "./gpu.ts";
import { Nvml } from "./nvml.ts";
import { mayRecover, NvmlError } from "./nvml_codes.ts";
import { type NvmlLibrary, NvmlLibraryError } from "./nvml_library.ts";
import { NvmlSession, type SessionReading } from "./nvml_session.ts";
import { problemOf } from "./problems.ts";
import type { XidLog } from "./xid_watcher.ts";

/** Longest wait for one GPU: what takes longer hangs. */
const READ_DEADLINE_MS = 2_000;
/** Longest wait for NVML to start or end, and for a GPU to be attached: seconds where nothing else holds the driver. */
const OPEN_DEADLINE_MS = 10_000;
const FIRST_DELAY_MS = 2_000;
/** Longest wait before the library or the driver is looked for again. */
const MAX_OPEN_DELAY_MS = 60_000;
/** A new session makes the driver forget the counters of GPUs that nothing else holds, so it is opened seldom. */
const MAX_RENEW_DELAY_MS = 300_000;
/** Longest wait for the Xid watcher to stop. */
const STOP_WATCHING_MS = 5_000;

/** Options of {@linkcode SessionKeeper}. */
export interface SessionKeeperOptions extends ReadOptions {
  /** Opens the library. */
  readonly openLibrary: () => NvmlLibrary;
  readonly xids: XidLog;
  readonly log: Logger;
  /** Called once the library is open. */
  readonly onOpen?: () => void;
  /** Longest wait for one GPU to be read. @default {2000} */
  readonly deadlineMs?: number | undefined;
  /** Longest wait for the driver to start, and for a GPU to be attached. @default {10000} */
  readonly openDeadlineMs?: number | undefined;
}

/** When to retry: each time later. */
class Backoff {
  #delayMs = FIRST_DELAY_MS;
  #dueMs = 0;

  constructor(readonly maxMs: number) {}

  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  tried(nowMs: number): void {
    this.#dueMs = nowMs + this.#delayMs;
    this.#delayMs = Math.min(this.#delayMs * 2, this.maxMs);
  }

  reset(): void {
    this.#delayMs = FIRST_DELAY_MS;
  }
}

/** Holds the session, and replaces it when needed. */
export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  readonly #nowMs: () => number;
  readonly #openBackoff = new Backoff(MAX_OPEN_DELAY_MS);
  readonly #renewBackoff = new Backoff(MAX_RENEW_DELAY_MS);
  #nvml: Nvml | undefined;
  #session: NvmlSession | undefined;
  #failure: SourceError | undefined;
  #isRenewing = false;
  /** The work in progress; the session is neither used by others nor replaced meanwhile. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.#nowMs = options.monotonicMs ?? (() => performance.now());
  }

  /**
   * Opens the library, and in the background a session: attaching GPUs takes seconds where nothing else holds the
   * driver. Returns whether the library is open.
   */
  start(): boolean {
    if (!this.#openLibrary()) return false;
    this.#inTurn(() => this.#openSession())
      .catch((error) => this.#options.log.debug("cannot open a session with the driver", { error }));
    return true;
  }

  /**
   * Reads all GPUs, opening a session first where there is none. Where the reading shows that a new session may
   * help, that is opened in the background.
   *
   * @throws {SourceError} while there is no library or no driver
   */
  async read(): Promise<SessionReading> {
    return await this.#inTurn(async () => {
      const session = await this.#openSession();
      const reading = await session.read(this.#options, this.#options.deadlineMs ?? READ_DEADLINE_MS);
      this.#judge(session, reading);
      return reading;
    });
  }

  /** Stops the Xid watcher. NVML itself is not shut down: a call may be inside. */
  async stop(): Promise<void> {
    await this.#session?.stopWatching();
  }

  #openLibrary(): Nvml | undefined {
    if (this.#nvml) return this.#nvml;
    if (!this.#openBackoff.isDue(this.#nowMs())) return undefined;
    try {
      const { path, symbols } = this.#options.openLibrary();
      this.#nvml = new Nvml(symbols, new CallLane());
      this.#openBackoff.reset();
      this.#options.log.info("library is open", { path });
    } catch (error) {
      if (!(error instanceof NvmlLibraryError)) throw error;
      this.#fail(new SourceError(error.reason, error.message, { cause: error }));
      return undefined;
    }
    this.#options.onOpen?.();
    return this.#nvml;
  }

  async #openSession(): Promise<NvmlSession> {
    if (this.#session) return this.#session;
    const nvml = this.#openLibrary();
    if (!nvml || (this.#failure && !this.#openBackoff.isDue(this.#nowMs()))) throw this.#failure;
    const { xids, openDeadlineMs = OPEN_DEADLINE_MS } = this.#options;
    try {
      this.#session = await NvmlSession.open(nvml, xids, openDeadlineMs);
    } catch (error) {
      const { reason, message } = problemOf("The NVIDIA driver", error);
      throw this.#fail(new SourceError(reason, message, { cause: error }));
    }
    this.#failure = undefined;
    this.#openBackoff.reset();
    return this.#session;
  }

  #fail(failure: SourceError): SourceError {
    this.#openBackoff.tried(this.#nowMs());
    return this.#failure = failure;
  }

  /** Opens a new session where that may help. */
  #judge(session: NvmlSession, { gpus, count }: SessionReading): void {
    const isCounted = typeof count === "number";
    const stale = gpus.find((outcome) => "error" in outcome && isStale(outcome.error));
    if (isCounted && count !== session.size) {
      this.#renew(session, `the driver has ${count} GPUs, was ${session.size}`);
    } else if (stale) this.#renew(session, `GPU ${stale.index} is not readable`);
    else if (isCounted && gpus.every((outcome) => "reading" in outcome)) this.#renewBackoff.reset();
  }

  /** Opens a new session in the background, if that is due. */
  #renew(session: NvmlSession, reason: string): void {
    // A session with a call inside cannot be closed.
    if (session.occupied || this.#isRenewing || !this.#renewBackoff.isDue(this.#nowMs())) return;
    this.#isRenewing = true;
    this.#renewBackoff.tried(this.#nowMs());
    this.#options.log.info("opening a new session with the driver", { reason });
    this.#replace(session)
      .catch((error) => this.#options.log.warn(`Cannot open a new session with the driver: ${error.message}`))
      .finally(() => this.#isRenewing = false);
  }

  async #replace(session: NvmlSession): Promise<void> {
    const hasStopped = await Promise.race([
      session.stopWatching().then(() => true),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), STOP_WATCHING_MS)),
    ]);
    await this.#inTurn(async () => {
      const { openDeadlineMs = OPEN_DEADLINE_MS } = this.#options;
      if (!hasStopped || !await session.close(openDeadlineMs)) {
        throw new Error("a call is still inside the old one; if that lasts, restart this exporter");
      }
      this.#session = undefined;
      await this.#openSession();
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = turn.promise;
    await before;
    try {
      return await work();
    } finally {
      turn.resolve();
    }
  }
}

/** Whether a new session may bring the GPU back. */
function isStale(error: unknown): boolean {
  return error instanceof NvmlError && mayRecover(error.code);
}
