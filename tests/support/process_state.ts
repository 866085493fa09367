/**
 * What Linux says of another process: its open files and its memory.
 *
 * @module
 */

/** How many file descriptors a process has open. */
export function openFiles(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Sets how many a process may have open; those that are open stay open. */
export async function setOpenFileLimit(pid: number, limit: number): Promise<void> {
  const { success, stderr } = await new Deno.Command("prlimit", {
    args: [`--pid=${pid}`, `--nofile=${limit}:`],
  }).output();
  if (!success) throw new Error(`prlimit fails: ${new TextDecoder().decode(stderr)}`);
}

/** Resident memory that belongs to no file, in bytes: what the process itself has filled. */
export function anonymousBytes(pid: number): number {
  const [, kibibytes] = /^RssAnon:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
  return Number(kibibytes) * 1024;
}
