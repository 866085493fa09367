/**
 * Keeps a session with the driver: opens the library when there is one, starts over when a GPU was lost, added
 * or removed or the driver was reset, and waits longer after each try in vain.
 *
 * @module
 */
import { SourceError } from "../../lib/collector.ts";
import type { Logger } from "../../lib/log.ts";
import { CallLane, CallTimeout } from "./call_lane.ts";
import { adviceFor, NvmlError } from "./nvml_codes.ts";
import { Nvml } from "./nvml.ts";
import { type NvmlLibrary, NvmlLibraryError } from "./nvml_library.ts";
import { NvmlSession } from "./nvml_session.ts";
import type { XidLog } from "./xid_watcher.ts";

const FIRST_DELAY_MS = 2_000;
/** Longest wait before the library or the driver is looked for again. */
const MAX_OPEN_DELAY_MS = 60_000;
/** Starting over makes the driver forget the counters of GPUs that nothing else holds: it is done seldom. */
const MAX_RENEW_DELAY_MS = 300_000;
/** Longest wait for the wait for Xids to end. */
const STOP_WATCHING_MS = 5_000;

/** Options of {@linkcode NvmlDriver}. */
export interface NvmlDriverOptions {
  /** Opens the library. */
  readonly openLibrary: () => NvmlLibrary;
  readonly xids: XidLog;
  readonly log: Logger;
  /** Called once the library is open. */
  readonly onOpen?: () => void;
  /** Longest wait for the driver to start, and for a GPU to be attached. @default {OPEN_DEADLINE_MS} */
  readonly openDeadlineMs?: number;
  /** @default {() => performance.now()} */
  readonly monotonicMs?: () => number;
}

/** Says when to try again, each time later. */
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

/** The way to a session that works. */
export class NvmlDriver {
  readonly #options: NvmlDriverOptions;
  readonly #nowMs: () => number;
  readonly #lane = new CallLane();
  readonly #openBackoff = new Backoff(MAX_OPEN_DELAY_MS);
  readonly #renewBackoff = new Backoff(MAX_RENEW_DELAY_MS);
  #library: NvmlLibrary | undefined;
  #nvml: Nvml | undefined;
  #session: NvmlSession | undefined;
  #failure: SourceError | undefined;
  #renewing = false;
  /** What is under way: sessions are neither used nor replaced meanwhile. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: NvmlDriverOptions) {
    this.#options = options;
    this.#nowMs = options.monotonicMs ?? (() => performance.now());
  }

  /** Opens the library if that is due. Returns whether it is open. */
  openLibrary(): boolean {
    if (this.#library) return true;
    if (!this.#openBackoff.isDue(this.#nowMs())) return false;
    try {
      this.#library = this.#options.openLibrary();
    } catch (error) {
      if (!(error instanceof NvmlLibraryError)) throw error;
      this.#fail(new SourceError(error.reason, error.message, { cause: error }));
      return false;
    }
    this.#nvml = new Nvml(this.#library.symbols, this.#lane);
    this.#openBackoff.reset();
    this.#options.log.info("library is open", { path: this.#library.path });
    this.#options.onOpen?.();
    return true;
  }

  /**
   * Lets `use` work with a session, opened if need be, while nothing replaces it.
   *
   * @throws {SourceError} while there is no library or no driver
   */
  async withSession<T>(use: (session: NvmlSession) => Promise<T>): Promise<T> {
    return await this.#inTurn(async () => await use(this.#session ??= await this.#open()));
  }

  /** Says that the session works as it should. */
  markHealthy(): void {
    this.#renewBackoff.reset();
  }

  /**
   * Starts over in the background if that is due; the present session serves until then. While a call hangs it
   * cannot be ended.
   */
  renew(reason: string): void {
    const session = this.#session;
    if (!session || session.occupied || this.#renewing || !this.#renewBackoff.isDue(this.#nowMs())) return;
    this.#renewing = true;
    this.#renewBackoff.tried(this.#nowMs());
    this.#options.log.info("starting over with the driver", { reason });
    this.#replace(session)
      .catch((error) => this.#options.log.warn(`Cannot start over with the driver: ${error.message}`))
      .finally(() => this.#renewing = false);
  }

  /** Ends waiting for Xids. NVML itself ends with the process: a call may be inside it. */
  async stop(): Promise<void> {
    await this.#session?.stopWatching();
  }

  async #replace(session: NvmlSession): Promise<void> {
    const stopped = await Promise.race([
      session.stopWatching().then(() => true),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), STOP_WATCHING_MS)),
    ]);
    await this.#inTurn(async () => {
      if (!stopped || !await session.close()) {
        throw new Error("a call is still inside it; if that lasts, restart this exporter");
      }
      this.#session = undefined;
      this.#session = await this.#open();
    });
  }

  async #open(): Promise<NvmlSession> {
    if (!this.openLibrary() || !this.#library || !this.#nvml) throw this.#failure;
    if (this.#failure && !this.#openBackoff.isDue(this.#nowMs())) throw this.#failure;
    try {
      const session = await NvmlSession.open({
        symbols: this.#library.symbols,
        nvml: this.#nvml,
        lane: this.#lane,
        xids: this.#options.xids,
        deadlineMs: this.#options.openDeadlineMs,
      });
      this.#failure = undefined;
      this.#openBackoff.reset();
      return session;
    } catch (error) {
      throw this.#fail(describe(error));
    }
  }

  #fail(failure: SourceError): SourceError {
    this.#openBackoff.tried(this.#nowMs());
    return this.#failure = failure;
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

function describe(error: unknown): SourceError {
  if (error instanceof NvmlError) {
    const { reason, advice } = adviceFor(error.code);
    return new SourceError(reason, `Cannot use the NVIDIA driver: ${error.message}; ${advice}`, {
      cause: error,
    });
  }
  if (error instanceof CallTimeout) {
    return new SourceError(
      "timeout",
      `The NVIDIA driver hangs: ${error.message}; see "dmesg", and reboot if it does not recover`,
      { cause: error },
    );
  }
  throw error;
}
