/**
 * Checks passwords against bcrypt hashes without letting those who guess take the machine: one check at a time, in
 * slices of 100 ms between which everything else goes on, with a rest after each failure, and few may wait.
 *
 * @module
 */
import bcrypt from "bcryptjs";

/** Checks that may wait for their turn, of all clients together. */
export const MAX_WAITING = 16;
/** Checks that one client address may have waiting. */
export const MAX_WAITING_PER_CLIENT = 4;
/** Rest after a failed check, as a multiple of the time it took: guessing gets a quarter of one core at most. */
const REST_FACTOR = 3;

/** Options of {@linkcode PasswordChecks}. */
export interface PasswordChecksOptions {
  /** @default bcrypt */
  compare?: (password: string, hash: string) => Promise<boolean>;
  /** @default {() => performance.now()} */
  monotonicMs?: () => number;
  /** Waits that long. @default a timer */
  rest?: (ms: number) => Promise<void>;
}

/** A check to be done. */
export interface PasswordCheck {
  readonly password: string;
  readonly hash: string;
  /** Address of the client that asks. */
  readonly client: string;
}

interface Waiting extends PasswordCheck {
  resolve(matches: boolean): void;
  reject(error: unknown): void;
}

/** The queue of password checks. */
export class PasswordChecks {
  readonly #compare: (password: string, hash: string) => Promise<boolean>;
  readonly #monotonicMs: () => number;
  readonly #rest: (ms: number) => Promise<void>;
  readonly #waiting: Waiting[] = [];
  #running = false;

  constructor(options: PasswordChecksOptions = {}) {
    this.#compare = options.compare ?? bcrypt.compare;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#rest = options.rest ?? rest;
  }

  /** Returns whether the password matches; undefined when too many wait already. */
  check(request: PasswordCheck): Promise<boolean | undefined> {
    const ofClient = this.#waiting.filter(({ client }) => client === request.client).length;
    if (this.#waiting.length >= MAX_WAITING || ofClient >= MAX_WAITING_PER_CLIENT) {
      return Promise.resolve(undefined);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...request, resolve, reject });
      if (!this.#running) this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#running = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const startedMs = this.#monotonicMs();
      try {
        const matches = await this.#compare(next.password, next.hash);
        next.resolve(matches);
        if (matches) continue;
      } catch (error) {
        next.reject(error);
      }
      await this.#rest(REST_FACTOR * (this.#monotonicMs() - startedMs));
    }
    this.#running = false;
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}
