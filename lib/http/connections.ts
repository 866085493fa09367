/**
 * The connections that are open, with bounds in all and for each client: where there are too many, the oldest that has
 * not asked for anything makes room, or else the longest idle of the client that has most. A sweep once a second
 * closes what keeps the exporter waiting.
 *
 * @module
 */
import { clientKey } from "./client_key.ts";
import { SendBudget } from "./send_budget.ts";

/** Most connections, not counting those whose body is wanted, such as the reports of ffmpeg. */
export const MAX_CONNECTIONS = 1024;
/** Most connections of one client. */
export const MAX_CONNECTIONS_PER_CLIENT = 256;
const SWEEP_MS = 1000;

/** A connection, as it is counted. */
export interface Counted {
  /** The client's IP address. */
  readonly address: string;
  /** When it has kept the exporter waiting for too long, in monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Closes it at once. */
  close(): void;
}

/** A client's connections. */
interface Client {
  /** Those that count. */
  count: number;
  /** Those whose body is wanted. */
  wanted: number;
  /** Those that have not asked for anything yet, the oldest first. */
  readonly silent: Set<Counted>;
  /** Those without a request in flight, the longest idle first. */
  readonly idle: Set<Counted>;
}

/** Keeps count of connections. */
export class Connections implements Disposable {
  /** Bytes under way to clients. */
  readonly sends = new SendBudget();
  readonly #clients = new Map<string, Client>();
  readonly #open = new Map<Counted, string>();
  readonly #wanted = new Set<Counted>();
  /** Those of all clients that have not asked for anything yet, the oldest first. */
  readonly #silent = new Set<Counted>();
  readonly #timer: ReturnType<typeof setInterval>;
  #evicted = 0;
  #evictedMs = -Infinity;

  constructor() {
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** How often an idle connection was closed to make room. */
  get evicted(): number {
    return this.#evicted;
  }

  /** When that was last, in monotonic milliseconds. */
  get evictedMs(): number {
    return this.#evictedMs;
  }

  /** Makes room for a connection of this address; false when all that could make room are in use. */
  makeRoom(address: string): boolean {
    const client = this.#clients.get(clientKey(address));
    if (client && client.count >= MAX_CONNECTIONS_PER_CLIENT) return this.#evict(client);
    const counted = this.#open.size - this.#wanted.size;
    return counted < MAX_CONNECTIONS || this.#evictAny();
  }

  /** Closes the oldest silent connection, or the longest idle of the client that has most; false: all are in use. */
  #evictAny(): boolean {
    for (const connection of this.#silent) return this.#close(connection);
    let most: Client | undefined;
    for (const client of this.#clients.values()) {
      if (client.idle.size > (most?.idle.size ?? 0)) most = client;
    }
    return most !== undefined && this.#evict(most);
  }

  /** Counts a new connection. */
  add(connection: Counted): void {
    const key = clientKey(connection.address);
    let client = this.#clients.get(key);
    if (!client) this.#clients.set(key, client = { count: 0, wanted: 0, silent: new Set(), idle: new Set() });
    client.count++;
    client.silent.add(connection);
    this.#silent.add(connection);
    this.#open.set(connection, key);
  }

  /** A request has come in. */
  markBusy(connection: Counted): void {
    const client = this.#clientOf(connection);
    client?.silent.delete(connection);
    client?.idle.delete(connection);
    this.#silent.delete(connection);
  }

  /** It can be closed without loss. */
  markIdle(connection: Counted): void {
    const client = this.#clientOf(connection);
    if (!client) return;
    if (this.#wanted.delete(connection)) {
      client.count++;
      client.wanted--;
    }
    client.idle.add(connection);
  }

  /** What it sends is wanted: it is neither closed to make room nor counted. */
  markWanted(connection: Counted): void {
    const client = this.#clientOf(connection);
    if (!client || this.#wanted.has(connection)) return;
    this.#wanted.add(connection);
    client.count--;
    client.wanted++;
    client.idle.delete(connection);
  }

  /** It has closed. */
  delete(connection: Counted): void {
    const key = this.#open.get(connection);
    const client = this.#clientOf(connection);
    if (key === undefined || !client) return;
    this.#open.delete(connection);
    client.silent.delete(connection);
    client.idle.delete(connection);
    this.#silent.delete(connection);
    if (this.#wanted.delete(connection)) client.wanted--;
    else client.count--;
    if (client.count + client.wanted === 0) this.#clients.delete(key);
  }

  /** Stops sweeping. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Silent ones go first, so that a flood of them spares who has asked before. */
  #evict({ silent, idle }: Client): boolean {
    for (const connection of silent.size > 0 ? silent : idle) return this.#close(connection);
    return false;
  }

  #close(connection: Counted): true {
    this.#evicted++;
    this.#evictedMs = performance.now();
    connection.close();
    return true;
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const connection of this.#open.keys()) {
      if (connection.deadlineMs < nowMs) connection.close();
    }
  }

  #clientOf(connection: Counted): Client | undefined {
    const key = this.#open.get(connection);
    return key === undefined ? undefined : this.#clients.get(key);
  }
}
