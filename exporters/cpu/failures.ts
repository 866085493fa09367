/**
 * Explains why a file of the powercap tree cannot be read, and what to do about it.
 *
 * @module
 */
import type { Problem } from "../../lib/collector.ts";
import { messageOf } from "../../lib/errors.ts";
import { refusalOf } from "../../lib/permissions.ts";

/** The kernel's answers for a device that was taken away: ENXIO and ENODEV. */
const GONE_REGEXP = /\(os error (?:6|19)\)/;

/** Places that Deno opens to nobody but `--allow-all`. */
const CLOSED_BY_DENO_REGEXP = /^\/(?:sys|proc|dev)(?:\/|$)/;

/**
 * Describes a failure on `path`; `what` begins the sentence: `Cannot read zone "intel-rapl:0"`.
 * The reason is `permission`, `gone` or `invalid`.
 */
export function describeFailure(what: string, path: string, error: unknown): Problem {
  const message = messageOf(error);
  switch (refusalOf(error)) {
    case "flag":
      return {
        reason: "permission",
        message: `${what}: Deno may not read "${path}": ${grantAdvice(path, message)}`,
      };
    case "system":
      return {
        reason: "permission",
        message:
          `${what}: permission denied on "${path}": the kernel lets only root read energy counters; give ` +
          `the exporter the capability CAP_DAC_READ_SEARCH (AmbientCapabilities= in its unit), or a group that a ` +
          `udev rule lets read energy_uj`,
      };
  }
  if (error instanceof Deno.errors.NotFound || GONE_REGEXP.test(message)) {
    return {
      reason: "gone",
      message: `${what}: "${path}" is gone: its driver or its processor was taken away`,
    };
  }
  return { reason: "invalid", message: `${what}: "${path}" is unreadable: ${message}` };
}

/**
 * Describes a tree that had zones and is empty. The kernel removes the folder with its last driver and makes another
 * one for the next (seen on Linux 6.12): a bind mount goes on showing the one that is gone.
 */
export function describeUnloaded(root: string): Problem {
  return {
    reason: "gone",
    message: `The powercap tree at "${root}" is gone: its driver was unloaded; load it again ("modprobe ` +
      `intel_rapl_msr" as root), then restart the exporter ("systemctl restart cpu-exporter"), for its bind mount ` +
      `shows the tree that is gone`,
  };
}

function grantAdvice(path: string, message: string): string {
  return CLOSED_BY_DENO_REGEXP.test(path) || message.includes("--allow-all")
    ? `it keeps /sys, /proc and /dev closed; as root, run "mkdir -p /run/powercap && mount --bind ` +
      `/sys/devices/virtual/powercap /run/powercap" and name that folder with --powercap`
    : `name the folder of --powercap in --allow-read as well`;
}
