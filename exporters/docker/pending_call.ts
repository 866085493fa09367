/**
 * A request to the engine that can be given up.
 *
 * @module
 */
import type { ClientRequest } from "node:http";

/**
 * Goes where dockerode takes an AbortSignal. On a signal node:http and dockerode put a dozen listeners for each
 * request, which is a tenth of what it costs to ask for a container's statistics.
 */
export class PendingCall {
  readonly #givenUp = Promise.withResolvers<never>();
  #request: ClientRequest | undefined;
  #reason: Error | undefined;

  /** Rejects when the call is given up. The library does not always settle, when the engine goes in mid-answer. */
  get givenUp(): Promise<never> {
    return this.#givenUp.promise;
  }

  /** Takes the request that the library has made for this call. */
  attach(request: ClientRequest): void {
    this.#request = request;
    if (this.#reason) request.destroy(this.#reason);
  }

  /** Ends the request, or stops it from being sent. */
  giveUp(reason: Error): void {
    this.#reason = reason;
    this.#request?.destroy(reason);
    this.#givenUp.reject(reason);
  }
}
