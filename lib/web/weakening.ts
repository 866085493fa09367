/**
 * What a changed web configuration would take away from those who rely on it: authentication never weakens while the
 * exporter runs, so that an emptied or half-written file opens no door.
 *
 * @module
 */
import { CLIENT_AUTH } from "../http/tls.ts";
import type { WebConfig } from "./config.ts";

/** Returns how the new configuration is weaker; undefined where it is not. */
export function weakening(before: WebConfig, after: WebConfig): string | undefined {
  const isEmpty = !after.tls && after.users.size === 0 && after.headers.size === 0;
  if (isEmpty && (before.tls || before.users.size > 0 || before.headers.size > 0)) return "it is empty";
  if ((before.tls === undefined) !== (after.tls === undefined)) {
    return "TLS cannot be enabled or disabled at run time";
  }
  if (before.users.size > 0 && after.users.size === 0) return "it has no users any more";
  if (!before.tls || !after.tls) return undefined;
  const [was, is] = [CLIENT_AUTH[before.tls.clientAuth], CLIENT_AUTH[after.tls.clientAuth]];
  const isWeaker = (["request", "require", "verify"] as const).some((demand) => was[demand] && !is[demand]);
  return isWeaker ? `"client_auth_type: ${after.tls.clientAuth}" asks less of clients` : undefined;
}
