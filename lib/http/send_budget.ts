/**
 * Bytes of answers that may still wait to be read, in this process or in the kernel, which holds megabytes for each
 * connection that is not read. The kernel does not report what was read, so an answer counts until its client sends
 * the next request, or for two minutes more where the connection ends.
 *
 * @module
 */

/** Answers up to this size are not counted: as many as there may be connections take 16 MB. */
export const UNCOUNTED_BYTES = 16_384;
/** Most bytes of one client, beyond its first answer. */
export const MAX_UNREAD_BYTES_PER_CLIENT = 24 * 1024 * 1024;
/** Most bytes of all clients, beyond the first answer of each. */
const MAX_UNREAD_BYTES = 96 * 1024 * 1024;
/** Most bytes in any case: half of the units' MemoryMax. */
const HARD_LIMIT_BYTES = 128 * 1024 * 1024;
/** What the kernel holds of one answer at most (net.ipv4.tcp_wmem). */
const MAX_KERNEL_BYTES = 4 * 1024 * 1024;
/** How long the kernel keeps trying to send what a closed connection holds, in milliseconds. */
const ORPHAN_MS = 120_000;

/** Counts bytes by client. */
export class SendBudget {
  readonly #byClient = new Map<string, number>();
  #total = 0;

  /** Counts an answer, unless too many wait; the bytes to give to {@linkcode release} or {@linkcode abandon}. */
  reserve(client: string, length: number): number | undefined {
    if (length <= UNCOUNTED_BYTES) return 0;
    const bytes = Math.min(length, MAX_KERNEL_BYTES);
    const own = this.#byClient.get(client) ?? 0;
    const total = this.#total + bytes;
    const isTooMuch = own > 0 && (own + bytes > MAX_UNREAD_BYTES_PER_CLIENT || total > MAX_UNREAD_BYTES);
    if (isTooMuch || total > HARD_LIMIT_BYTES) return undefined;
    this.#byClient.set(client, own + bytes);
    this.#total = total;
    return bytes;
  }

  /** The answer was read. */
  release(client: string, bytes: number): void {
    if (bytes === 0) return;
    this.#total -= bytes;
    const left = (this.#byClient.get(client) ?? 0) - bytes;
    if (left > 0) this.#byClient.set(client, left);
    else this.#byClient.delete(client);
  }

  /** The connection has closed, which does not prove that the answer was read. */
  abandon(client: string, bytes: number): void {
    if (bytes > 0) Deno.unrefTimer(setTimeout(() => this.release(client, bytes), ORPHAN_MS));
  }
}
