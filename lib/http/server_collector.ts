/**
 * The server's own state: connections that it could not accept, and clients that crowd out one another.
 *
 * @module
 */
import type { Collection, Collector, Problem } from "../collector.ts";
import { type MetricDefinition, Snapshot } from "../exposition.ts";
import type { HttpServer, ServerState } from "./server.ts";

/** What the collector publishes. */
export const HTTP_METRICS = {
  acceptFailures: {
    name: "exporter_accept_failures_total",
    type: "counter",
    help: "Times that file descriptors or memory were lacking for a new connection; accepting is retried.",
  },
  evicted: {
    name: "exporter_connections_evicted_total",
    type: "counter",
    help: "Idle connections that were closed to make room for new ones.",
  },
  internalErrors: {
    name: "exporter_internal_errors_total",
    type: "counter",
    help: "Requests and callbacks that failed by a fault of the exporter itself; the log has each.",
  },
} as const satisfies Record<string, MetricDefinition>;

/** Publishes the state of a server. */
export class ServerCollector implements Collector {
  readonly source = "http";
  readonly #server: Pick<HttpServer, "state">;
  readonly #internal: { readonly errors: number };
  #state = "";
  #collection: Collection | undefined;

  /** `internal` counts what the exporter has failed at. */
  constructor(server: Pick<HttpServer, "state">, internal: { readonly errors: number }) {
    this.#server = server;
    this.#internal = internal;
  }

  /** The state now, a collection of its own; its snapshot stays the same while nothing has changed: pages reuse it. */
  collect(): Collection {
    const { state } = this.#server;
    const { errors } = this.#internal;
    const text = JSON.stringify([state, errors]);
    if (!this.#collection || text !== this.#state) this.#collection = describe(state, errors);
    this.#state = text;
    return { ...this.#collection };
  }
}

function describe({ acceptFailures, evicted, shortage, isCrowded }: ServerState, errors: number): Collection {
  const snapshot = new Snapshot();
  snapshot.add(HTTP_METRICS.acceptFailures, acceptFailures);
  snapshot.add(HTTP_METRICS.evicted, evicted);
  snapshot.add(HTTP_METRICS.internalErrors, errors);
  const problems: Problem[] = [];
  if (shortage !== undefined) {
    problems.push({
      reason: "descriptors",
      message:
        `New connections cannot be accepted: ${shortage}: open ones are served, and accepting is retried; ` +
        "if it lasts, raise LimitNOFILE= of the unit",
    });
  }
  if (isCrowded) {
    problems.push({
      reason: "crowded",
      message:
        "Clients open more connections than one exporter holds, and idle ones are closed to make room: " +
        "see who connects (ss -tn), and keep strangers out with a firewall",
    });
  }
  return { up: shortage === undefined, snapshot, problems };
}
