/**
 * The kernel's own account of a container, from its control group (v1 or v2) and its network namespace, in the
 * units of the exporter.
 *
 * https://docs.kernel.org/admin-guide/cgroup-v2.html
 * https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
 *
 * @module
 */

/** By metric, without `docker_container_`; what the kernel does not count is missing. */
export type Account = Readonly<Record<string, number>>;

/** Reads a container's account. `id` is its whole identifier. */
export async function containerAccount(id: string): Promise<Account> {
  const folders = await foldersOf(id);
  const isUnified = folders.some((folder) => isFile(`${folder}/cgroup.controllers`));
  const read = (name: string): string | undefined => {
    const folder = folders.find((folder) => isFile(`${folder}/${name}`));
    return folder && Deno.readTextFileSync(`${folder}/${name}`);
  };
  const process = read("cgroup.procs")?.split("\n")[0];
  const values = { ...isUnified ? unified(read) : legacy(read), ...network(`/proc/${process}/net/dev`) };
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );
}

type Read = (name: string) => string | undefined;

function legacy(read: Read): Record<string, number> {
  const number = (name: string): number => Number(read(name) ?? NaN);
  const memory = (key: string): number => field(read("memory.stat"), key);
  const cpu = (key: string): number => field(read("cpu.stat"), key);
  return {
    cpu_usage_seconds_total: number("cpuacct.usage") / 1e9,
    cpu_periods_total: cpu("nr_periods"),
    cpu_throttled_periods_total: cpu("nr_throttled"),
    cpu_throttled_seconds_total: cpu("throttled_time") / 1e9,
    cpu_limit_ratio: number("cpu.cfs_quota_us") / number("cpu.cfs_period_us"),
    memory_total: number("memory.usage_in_bytes"),
    memory_usage_bytes: number("memory.usage_in_bytes") - memory("total_inactive_file"),
    memory_limit_bytes: number("memory.limit_in_bytes"),
    memory_reservation_bytes: number("memory.soft_limit_in_bytes"),
    memory_cache_bytes: memory("total_cache"),
    memory_anonymous_bytes: memory("total_rss"),
    memory_swap_bytes: memory("total_swap"),
    memory_failures_total: number("memory.failcnt"),
    oom_kills: field(read("memory.oom_control"), "oom_kill"),
    pids: number("pids.current"),
    pids_limit: number("pids.max"),
  };
}

function unified(read: Read): Record<string, number> {
  const number = (name: string): number => Number(read(name) ?? NaN);
  const memory = (key: string): number => field(read("memory.stat"), key);
  const cpu = (key: string): number => field(read("cpu.stat"), key);
  const [quota, period] = (read("cpu.max") ?? "").split(" ");
  return {
    cpu_usage_seconds_total: cpu("usage_usec") / 1e6,
    cpu_periods_total: cpu("nr_periods"),
    cpu_throttled_periods_total: cpu("nr_throttled"),
    cpu_throttled_seconds_total: cpu("throttled_usec") / 1e6,
    cpu_limit_ratio: Number(quota) / Number(period),
    memory_total: number("memory.current"),
    memory_usage_bytes: number("memory.current") - memory("inactive_file"),
    memory_limit_bytes: number("memory.max"),
    memory_reservation_bytes: number("memory.low"),
    memory_cache_bytes: memory("file"),
    memory_anonymous_bytes: memory("anon"),
    memory_swap_bytes: number("memory.swap.current"),
    memory_failures_total: field(read("memory.events"), "oom"),
    oom_kills: field(read("memory.events"), "oom_kill"),
    pids: number("pids.current"),
    pids_limit: number("pids.max"),
  };
}

/** `eth0: 8522 103 0 0 0 0 0 0 796 10 …`: received, then sent. */
function network(path: string): Record<string, number> {
  const fields = isFile(path) ? /eth0:(.*)/.exec(Deno.readTextFileSync(path))?.[1]?.trim().split(/\s+/) : [];
  const [receivedBytes, receivedPackets, , , , , , , sentBytes, sentPackets] = (fields ?? []).map(Number);
  return {
    network_receive_bytes_total: receivedBytes ?? NaN,
    network_receive_packets_total: receivedPackets ?? NaN,
    network_transmit_bytes_total: sentBytes ?? NaN,
    network_transmit_packets_total: sentPackets ?? NaN,
  };
}

function field(text: string | undefined, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, "m").exec(text ?? "")?.[1] ?? NaN);
}

async function foldersOf(id: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("find", {
    // Beside the hierarchies of v1 there can be one of v2 without controllers.
    args: [
      "/sys/fs/cgroup",
      "-path",
      "/sys/fs/cgroup/unified",
      "-prune",
      "-o",
      "-type",
      "d",
      "-name",
      `*${id}*`,
      "-print",
    ],
  }).output();
  return new TextDecoder().decode(stdout).split("\n").filter(Boolean);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
