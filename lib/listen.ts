/**
 * Listens on the addresses of an exporter, and explains what to do where that fails.
 *
 * @module
 */
import { messageOf } from "./errors.ts";
import { formatAddress, type ListenAddress } from "./options.ts";
import { refusalOf } from "./permissions.ts";

/** Connections that wait to be accepted: once a flood fills a short queue, the kernel drops new ones for seconds. */
const BACKLOG = 4096;

/** It could not listen; the message explains what to do. */
export class ListenError extends Error {
  /** The class, by which it is logged. */
  override readonly name = "ListenError";
}

/** Listens on every address. @throws {ListenError} when one cannot be had */
export function listenOn(addresses: readonly ListenAddress[]): Deno.TcpListener[] {
  const listeners: Deno.TcpListener[] = [];
  for (const { hostname, port } of addresses) {
    try {
      listeners.push(Deno.listen({ hostname, port, tcpBacklog: BACKLOG }));
    } catch (error) {
      for (const listener of listeners) listener.close();
      const address = { hostname, port };
      throw new ListenError(`Cannot listen on "${formatAddress(address)}": ${listenAdvice(address, error)}`, {
        cause: error,
      });
    }
  }
  return listeners;
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
  return messageOf(error);
}
