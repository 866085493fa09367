/**
 * Who may bring reports over HTTP: by address, and no web page.
 *
 * @module
 */
import type { BlockList } from "node:net";
import { isInRanges } from "./ip_range.ts";

/** Whose request it is. */
export interface Sender {
  /** The client's IP address. */
  readonly client: string;
  /** The address of this machine that it has connected to; empty where that is not known. */
  readonly local: string;
  readonly headers: { get(name: string): string | null | undefined };
}

/** Why a request may not bring reports; undefined: it may. */
export function refuseSender(
  { client, local, headers }: Sender,
  from: BlockList,
): "address" | "cross_site" | undefined {
  // Nobody else can connect from an address of this machine, so such a client counts as loopback.
  const address = client === local ? (client.includes(":") ? "::1" : "127.0.0.1") : client;
  if (!isInRanges(address, from)) return "address";
  // Browsers send one of these with what a page of any site makes them post. ffmpeg and curl send neither.
  return headers.get("origin") || headers.get("sec-fetch-site") ? "cross_site" : undefined;
}
