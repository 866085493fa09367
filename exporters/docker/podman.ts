/**
 * What Podman's Docker-compatible API fills in although it does not know it. Seen with Podman 4.3.1, 5.4.2 and 5.8.6
 * beside the kernel's own files; what it does not report is omitted here, so that no zero is published for it.
 *
 * https://github.com/containers/podman/blob/v5.8.0/pkg/api/handlers/compat/containers_stats_linux.go
 *
 * @module
 */
import { compareVersions } from "./engine.ts";
import type { ContainerStats, NetworkCounters } from "./stats.ts";

/** Events that Podman never sends, or not in every version: absent until the first, where Docker's begin at 0. */
export const PODMAN_UNSENT_ACTIONS: readonly string[] = ["kill", "oom", "stop", "update"];

/** The one network of Podman before 5.0: all interfaces together, without packets, errors and drops. */
const ALL_INTERFACES = "network";

/** Statistics without what Podman makes up. `version` is the engine's. */
export function correctPodmanStats(stats: ContainerStats, version: string): ContainerStats {
  const { cpuNanoseconds = 0, cpuUserNanoseconds = 0 } = stats;
  return {
    ...stats,
    // All time less the kernel's, below 0 where the kernel's is counted less exactly: then as a number near 2^64.
    cpuUserNanoseconds: cpuUserNanoseconds > cpuNanoseconds ? undefined : stats.cpuUserNanoseconds,
    throttledNanoseconds: undefined,
    throttledPeriods: undefined,
    cpuPeriods: undefined,
    memoryFailures: undefined,
    networks: stats.networks.map((network) => correctNetwork(network, version)),
  };
}

function correctNetwork(network: NetworkCounters, version: string): NetworkCounters {
  if (network.interface !== ALL_INTERFACES || compareVersions(version, "5.0") >= 0) return network;
  const bytesOnly = { packets: undefined, errors: undefined, dropped: undefined };
  const receive = { ...bytesOnly, bytes: network.receive.bytes };
  const transmit = { ...bytesOnly, bytes: network.transmit.bytes };
  // Before 4.4 the directions were swapped: https://github.com/containers/podman/issues/16618
  return compareVersions(version, "4.4") < 0
    ? { ...network, receive: transmit, transmit: receive }
    : { ...network, receive, transmit };
}
