/**
 * A process with as much memory as its systemd unit grants, by a control group of version 1 or 2. Needs root.
 *
 * @module
 */
import { ROOT } from "./exporter_process.ts";

const V1 = "/sys/fs/cgroup/memory";
const V2 = "/sys/fs/cgroup";

/** A control group; disposing of it removes it, once its processes have ended. */
export interface MemoryLimit extends Disposable {
  /** Words before a command that run it within the limit. */
  readonly prefix: string[];
  /** The most memory that was in use, in bytes. */
  peak(): number;
}

/** The `MemoryMax=` of an exporter's unit, in bytes. */
export function memoryMaxOf(unit: string): number {
  const text = Deno.readTextFileSync(`${ROOT}systemd/${unit}.service`);
  return Number(/^MemoryMax=(\d+)M$/m.exec(text)?.[1]) * 1024 * 1024;
}

/** The `LimitNOFILE=` of an exporter's unit. */
export function openFilesMaxOf(unit: string): number {
  const text = Deno.readTextFileSync(`${ROOT}systemd/${unit}.service`);
  return Number(/^LimitNOFILE=(\d+)$/m.exec(text)?.[1]);
}

/** Whether this machine lets the tests make control groups. */
export function canLimitMemory(): boolean {
  try {
    using _ = limitMemory(64 * 1024 * 1024);
    return true;
  } catch {
    return false;
  }
}

/** Makes a control group with this limit. @throws {Error} when this machine does not allow it */
export function limitMemory(bytes: number): MemoryLimit {
  const isV1 = exists(`${V1}/memory.limit_in_bytes`);
  const folder = `${isV1 ? V1 : V2}/exporter-test-${crypto.randomUUID()}`;
  Deno.mkdirSync(folder);
  try {
    Deno.writeTextFileSync(`${folder}/${isV1 ? "memory.limit_in_bytes" : "memory.max"}`, String(bytes));
  } catch (error) {
    Deno.removeSync(folder);
    throw error;
  }
  const peakFile = `${folder}/${isV1 ? "memory.max_usage_in_bytes" : "memory.peak"}`;
  return {
    prefix: ["sh", "-c", `echo $$ > ${folder}/cgroup.procs && exec "$@"`, "sh"],
    peak: () => Number(Deno.readTextFileSync(peakFile)),
    [Symbol.dispose](): void {
      Deno.removeSync(folder);
    },
  };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
