/**
 * Listens on the addresses of an exporter, and says what to do where that fails.
 *
 * @module
 */
import type { Logger } from "./log.ts";
import { formatAddress, type ListenAddress } from "./options.ts";
import { refusalOf } from "./permissions.ts";
import type { AnswerOptions, FetchHandler } from "./web/fetch_adapter.ts";

/** What serves: `finished` rejects when it cannot go on. */
export type Server =
  & Pick<Deno.HttpServer<Deno.NetAddr>, "addr" | "shutdown">
  & Partial<Pick<Deno.HttpServer, "finished">>;

/** What a server needs. */
export interface ListenOptions extends ListenAddress, AnswerOptions {}

/** It could not listen, or not any more; the message says what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Options of {@linkcode listenOn}. */
export interface ListenOnOptions {
  readonly log: Logger;
  readonly handler: FetchHandler;
  /** Listens in place of `Deno.serve`. */
  readonly listen: ((options: ListenOptions) => Server | Promise<Server>) | undefined;
}

/** Listens on every address. @throws {ListenError} when one cannot be had */
export async function listenOn(
  addresses: readonly ListenAddress[],
  options: ListenOnOptions,
): Promise<Server[]> {
  const servers: Server[] = [];
  try {
    for (const address of addresses) servers.push(await listen(address, options));
  } catch (error) {
    await Promise.all(servers.map((server) => server.shutdown()));
    throw error;
  }
  return servers;
}

async function listen(
  address: ListenAddress,
  { log, handler, listen }: ListenOnOptions,
): Promise<Server> {
  const onError = (error: unknown): Response => {
    log.error("request failed", { error });
    return new Response("Internal error\n", { status: 500 });
  };
  try {
    if (listen) return await listen({ ...address, handler, onError });
    return Deno.serve({ ...address, onListen: () => {}, onError }, handler);
  } catch (error) {
    throw new ListenError(`Cannot listen on "${formatAddress(address)}": ${listenAdvice(address, error)}`, {
      cause: error,
    });
  }
}

/**
 * Resolves when no connection can be accepted any more: one failure, when file descriptors run out, ends
 * `Deno.serve`, and to listen again would take the permission that was revoked. An exporter that nobody
 * can reach must end, so that it is started again.
 */
export function acceptFailure(server: Server): Promise<ListenError> {
  return new Promise((resolve) => {
    server.finished?.catch((error) =>
      resolve(
        new ListenError(
          `Cannot accept connections any more: ${error instanceof Error ? error.message : error}: start it ` +
            'again, with more file descriptors where they ran out ("ulimit -n", LimitNOFILE= in its unit)',
        ),
      )
    );
  });
}

function listenAdvice(address: ListenAddress, error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return 'another program listens there: stop it, or choose another port with "--port"';
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return 'this machine has no such address: change "--host"';
  }
  switch (refusalOf(error)) {
    case "flag":
      return `the permissions do not cover it: start with "--allow-net=${formatAddress(address)}"`;
    case "system":
      return "the system forbids it: ports below 1024 need CAP_NET_BIND_SERVICE";
  }
  return error instanceof Error ? error.message : String(error);
}
