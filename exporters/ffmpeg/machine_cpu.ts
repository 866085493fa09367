/**
 * CPU time of the whole machine, of which the CPU time of its jobs is a part: `stat` of a bind mount of /proc.
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
