/**
 * One pass over all containers of an engine: several at once, each failure noted.
 *
 * @module
 */
import type { Problem } from "../../lib/collector.ts";
import type { DockerApiError, DockerApiReason } from "./docker_api_error.ts";

/** Failures that can be the fault of one container; the others are the engine's. */
const OF_ONE_CONTAINER: ReadonlySet<string> = new Set<DockerApiReason>([
  "timeout",
  "invalid",
  "refused",
  "no_stats",
]);

/** One pass over all containers: some at once, and none any more once the engine seems to hang. */
export class ReadingPass {
  readonly #concurrency: number;
  readonly #failures: { readonly name: string; readonly error: DockerApiError }[] = [];
  #timeouts = 0;

  /** `concurrency` is how many are read at once, at most. */
  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /**
   * Reads each item, or skips it once the engine seems to hang; what reads as undefined is gone and omitted.
   *
   * @throws {DockerApiError} when the engine is gone
   */
  async run<T, R>(
    items: readonly T[],
    read: (item: T) => Promise<R | undefined>,
    skip: (item: T) => R,
  ): Promise<R[]> {
    const readings: R[] = [];
    const queue = items.values();
    const worker = async (): Promise<void> => {
      for (const next of queue) {
        const reading = this.#timeouts >= this.#concurrency ? skip(next) : await read(next);
        if (reading) readings.push(reading);
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#concurrency, items.length) }, worker));
    return readings;
  }

  /** Notes that a container could not be read. @throws {DockerApiError} when it is the engine's fault */
  note(name: string, error: DockerApiError): void {
    if (!OF_ONE_CONTAINER.has(error.reason)) throw error;
    if (error.reason === "timeout") this.#timeouts++;
    this.#failures.push({ name, error });
  }

  /** What could not be read, one problem for each reason. */
  problems(total: number): Problem[] {
    const byReason = Map.groupBy(this.#failures, ({ error }) => error.reason);
    return [...byReason].map(([reason, failures]) => {
      const names = failures.slice(0, 3).map(({ name }) => `"${name}"`).join(", ");
      const more = failures.length > 3 ? ` and ${failures.length - 3} more` : "";
      return {
        reason,
        message: `Cannot read ${failures.length} of ${total} containers, ${names}${more}: ${
          failures[0]?.error.message
        }`,
      };
    });
  }
}
