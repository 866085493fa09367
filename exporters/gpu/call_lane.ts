/**
 * Calls into the driver one after the other, which the caller need not wait for for ever.
 *
 * A sick driver can keep a call for minutes or until the machine is reset. Nothing can end such a call, so its
 * lane stays occupied until it returns: further work is refused at once instead of queued behind it, and the
 * memory that the call may yet write to stays alive in the waiting function.
 *
 * @module
 */

/** A call that has not returned in time. */
export class CallTimeout extends Error {
  override readonly name = "CallTimeout";

  /** `symbol` is the function that hangs, `afterMs` how long it has been inside. */
  constructor(readonly symbol: string, readonly afterMs: number) {
    super(`${symbol} has not returned for ${(afterMs / 1000).toFixed(1)} s`);
  }
}

/** Options of {@linkcode CallLane.run}. */
export interface LaneRunOptions {
  /** Longest wait, in milliseconds. */
  deadlineMs: number;
}

/** One thing at a time, such as one GPU. */
export class CallLane {
  #occupied = false;
  #abandoned = false;
  #symbol = "";
  #sinceMs = 0;

  /** Whether work is inside, hung or not. */
  get occupied(): boolean {
    return this.#occupied;
  }

  /**
   * Makes one call of the work under way.
   *
   * @throws {CallTimeout} when nobody waits for that work any more
   */
  async call<T>(symbol: string, invoke: () => Promise<T>): Promise<T> {
    if (this.#abandoned) throw this.#timeout();
    this.#symbol = symbol;
    this.#sinceMs = performance.now();
    const result = await invoke();
    if (this.#abandoned) throw this.#timeout();
    return result;
  }

  /**
   * Does work made of {@linkcode call}s.
   *
   * @throws {CallTimeout} when it takes too long, or when earlier work is still inside
   */
  async run<T>(work: () => Promise<T>, { deadlineMs }: LaneRunOptions): Promise<T> {
    if (this.#occupied) throw this.#timeout();
    this.#occupied = true;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const abandon = (): void => {
      this.#abandoned = true;
      reject(this.#timeout());
    };
    const timer = setTimeout(abandon, deadlineMs);
    try {
      return await Promise.race([this.#finish(work), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #finish<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      this.#occupied = false;
      this.#abandoned = false;
    }
  }

  #timeout(): CallTimeout {
    return new CallTimeout(this.#symbol, performance.now() - this.#sinceMs);
  }
}
