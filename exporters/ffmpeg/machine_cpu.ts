/**
 * CPU time of the whole machine, of which the CPU time of its jobs is a part: `stat` of a bind mount of /proc.
 *
 * Waiting for I/O may fall, and idle time with it for a moment, as the two are not read at once; node_exporter holds it
 * up in the same way.
 *
 * https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat
 *
 * @module
 */
import { readProcessFile, TICKS_PER_SECOND } from "./process_files.ts";

/** Since boot, all processors together. */
export interface MachineCpu {
  readonly busySeconds: number;
  /** With waiting for I/O. Time that a hypervisor gave to others is in neither. */
  readonly idleSeconds: number;
}

const TOTAL_REGEXP = /^cpu +(\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/;

/** What the kernel takes back at most of time that it counted as idle, in seconds: more is a processor gone offline. */
const RETAKEN_SECONDS = 3;

/** The time to publish after `before`: the kernel's, except that what it takes back of idle time for a moment stays. */
export function heldUp(before: MachineCpu | undefined, now: MachineCpu | undefined): MachineCpu | undefined {
  const fallSeconds = before && now ? before.idleSeconds - now.idleSeconds : 0;
  const isHeld = before && now && fallSeconds > 0 && fallSeconds < RETAKEN_SECONDS;
  return isHeld ? { ...now, idleSeconds: before.idleSeconds } : now;
}

/** Reads it; undefined where the file is missing or of another form. */
export function readMachineCpu(path: string): MachineCpu | undefined {
  let ticks: number[] | undefined;
  try {
    ticks = TOTAL_REGEXP.exec(readProcessFile(path) ?? "")?.slice(1).map(Number);
  } catch {
    // Only the machine's own time is unknown then, and absent.
    return undefined;
  }
  if (!ticks) return undefined;
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0] = ticks;
  return {
    busySeconds: (user + nice + system + irq + softIrq) / TICKS_PER_SECOND,
    idleSeconds: (idle + ioWait) / TICKS_PER_SECOND,
  };
}
