/**
 * Checks passwords against bcrypt hashes without letting those who guess take the machine: one check at a time, in
 * slices of 100 ms between which everything else goes on, with a rest after each failure, and few may wait. Whose
 * checks have failed least comes first, so that a scraper finds its way past those who guess.
 *
 * @module
 */
import bcrypt from "bcryptjs";
import { clientKey } from "../http/client_key.ts";

/** Checks that may wait for their turn, of all clients together; one more takes the place of another. */
export const MAX_WAITING = 16;
/** Clients whose failures are remembered. */
const MAX_REMEMBERED = 1024;
/** Rest after a failed check, as a multiple of the time it took: guessing gets a quarter of one core at most. */
const REST_FACTOR = 3;

/** Options of {@linkcode PasswordChecks}. */
export interface PasswordChecksOptions {
  /** Compares a password with a bcrypt hash. @default bcrypt */
  compare?: (password: string, hash: string) => Promise<boolean>;
  /** Clock that never goes back, in milliseconds. @default {() => performance.now()} */
  monotonicMs?: () => number;
  /** Waits that long. @default a timer */
  rest?: (ms: number) => Promise<void>;
}

/** A check to be done. */
export interface PasswordCheck {
  /** The password that was sent. */
  readonly password: string;
  /** The bcrypt hash it is compared with. */
  readonly hash: string;
  /** Address of the client that asks. */
  readonly client: string;
}

interface Waiting extends PasswordCheck {
  /** Whose checks count together. */
  readonly key: string;
  resolve(matches: boolean | undefined): void;
  reject(error: unknown): void;
}

/** The queue of password checks. */
export class PasswordChecks {
  readonly #compare: (password: string, hash: string) => Promise<boolean>;
  readonly #monotonicMs: () => number;
  readonly #rest: (ms: number) => Promise<void>;
  readonly #waiting: Waiting[] = [];
  /** Failed checks by client. */
  readonly #failures = new Map<string, number>();
  #running = false;

  /** Sets it up; nothing runs yet. */
  constructor(options: PasswordChecksOptions = {}) {
    this.#compare = options.compare ?? bcrypt.compare;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#rest = options.rest ?? rest;
  }

  /** Returns whether the password matches; undefined when others wait and this one had to make room. */
  check(request: PasswordCheck): Promise<boolean | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...request, key: clientKey(request.client), resolve, reject });
      if (this.#waiting.length > MAX_WAITING) this.#drop();
      if (!this.#running) this.#work();
    });
  }

  /** Drops one of the client that has most waiting, whichever. */
  #drop(): void {
    const counts = Map.groupBy(this.#waiting, ({ key }) => key);
    const most = [...counts.values()].reduce((most, own) => own.length > most.length ? own : most);
    this.#take(pickOne(most))?.resolve(undefined);
  }

  /** The next one: of a client whose checks have failed least. */
  #next(): Waiting | undefined {
    const failuresOf = ({ key }: Waiting): number => this.#failures.get(key) ?? 0;
    const fewest = Math.min(...this.#waiting.map(failuresOf));
    return this.#take(pickOne(this.#waiting.filter((waiting) => failuresOf(waiting) === fewest)));
  }

  #take(waiting: Waiting | undefined): Waiting | undefined {
    if (waiting) this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    return waiting;
  }

  #markFailure({ key }: Waiting): void {
    if (this.#failures.size >= MAX_REMEMBERED) this.#failures.clear();
    this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
  }

  async #work(): Promise<void> {
    this.#running = true;
    for (let next = this.#next(); next; next = this.#next()) {
      const startedMs = this.#monotonicMs();
      try {
        const matches = await this.#compare(next.password, next.hash);
        next.resolve(matches);
        if (matches) continue;
        this.#markFailure(next);
      } catch (error) {
        next.reject(error);
      }
      await this.#rest(REST_FACTOR * (this.#monotonicMs() - startedMs));
    }
    this.#running = false;
  }
}

function pickOne<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}
