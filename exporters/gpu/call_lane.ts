/**
 * Serialises driver calls; a caller can give up on one that never returns.
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

  /**
   * `symbol` is the function inside the driver. `isHung`: this one call takes long, rather than all calls
   * together.
   */
  constructor(readonly symbol: string, readonly isHung: boolean) {
    super(`${symbol} has not returned in time`);
  }
}

/** One thing at a time, such as one GPU. */
export class CallLane {
  #occupied = false;
  #abandoned = false;
  #symbol = "";
  #sinceMs = 0;
  #deadlineMs = 0;

  /** Whether work is inside, hung or not. */
  get occupied(): boolean {
    return this.#occupied;
  }

  /**
   * Makes one call of the work under way.
   *
   * @throws {CallTimeout} when the caller has given up on that work
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
   * @throws {CallTimeout} when it takes longer than `deadlineMs`, or when earlier work is still inside
   */
  async run<T>(work: () => Promise<T>, deadlineMs: number): Promise<T> {
    if (this.#occupied) throw this.#timeout();
    this.#occupied = true;
    this.#deadlineMs = deadlineMs;
    const { promise: late, reject } = Promise.withResolvers<never>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = (): void => {
      const dueMs = performance.now() + deadlineMs;
      timer = setTimeout(() => {
        // This late, the process itself was stopped; the driver may be fine.
        if (performance.now() > dueMs + deadlineMs / 2) return wait();
        this.#abandoned = true;
        reject(this.#timeout());
      }, deadlineMs);
    };
    wait();
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
    return new CallTimeout(this.#symbol, performance.now() - this.#sinceMs > this.#deadlineMs / 2);
  }
}
