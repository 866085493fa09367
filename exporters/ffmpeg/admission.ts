/**
 * Who may bring reports over HTTP: by address, and no web page.
 *
 * @module
 */
import type { BlockList } from "node:net";
import type { HttpRequest } from "../../lib/http/message.ts";
import { isInRanges } from "./ip_range.ts";

/** Why a request may not bring reports; undefined: it may. */
export function refuseSender(
  { client, local, headers }: Pick<HttpRequest, "client" | "local" | "headers">,
  from: BlockList,
): "address" | "cross_site" | undefined {
  // Nobody else can connect from an address of this machine, so such a client counts as loopback.
  const address = client === local ? (client.includes(":") ? "::1" : "127.0.0.1") : client;
  if (!isInRanges(address, from)) return "address";
  // Browsers send one of these with what a page of any site makes them post. ffmpeg and curl send neither.
  return headers.get("origin") || headers.get("sec-fetch-site") ? "cross_site" : undefined;
}
