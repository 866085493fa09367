/**
 * Deno permissions: revoking what is no longer needed, and naming the flag that a refusal asks for.
 *
 * https://docs.deno.com/runtime/fundamentals/security/
 *
 * @module
 */

const NAMES = ["run", "ffi", "write", "env", "sys", "import", "read", "net"] as const;

/** Where grants wider than needed usually begin: Deno does not list what was granted. */
const FOLDERS =
  "/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var"
    .split(" ");

/** Hosts whose grants are wide; revoking one address of a range revokes the range. */
const HOSTS = ["255.255.255.255", "0.0.0.0", "127.0.0.1", "[::]", "[::1]", "localhost"];

const WIDE: readonly Deno.PermissionDescriptor[] = [
  ...(["read", "write", "ffi"] as const).flatMap((name) => FOLDERS.map((path) => ({ name, path }))),
  ...HOSTS.map((host) => ({ name: "net", host } as const)),
];

/** What Deno asks for in place of `unix:` before 2.9, which does not know that: every socket counts as this. */
export const UNIX_BEFORE_2_9 = "localhost:80";

/**
 * Revokes every permission except `keep`: all others of `granted`, what is wider than one of `keep`, and each
 * permission that has none. Listeners, open files and open libraries stay usable.
 *
 * A permission that was granted without values (`--allow-read`) cannot be narrowed, only revoked.
 *
 * @returns those of `keep` that were not granted
 */
export function retainPermissions(
  keep: readonly Deno.PermissionDescriptor[],
  granted: readonly Deno.PermissionDescriptor[] = [],
): Deno.PermissionDescriptor[] {
  const kept = keep.map(asKnown);
  // Requested, a part of a wider grant becomes a grant of its own, which stays when the wider one is revoked.
  const missing = keep.filter((_, index) => !request(kept[index]));
  for (const descriptor of [...granted, ...WIDE].map(asKnown)) {
    if (descriptor && !kept.some((each) => each && isWithin(descriptor, each))) {
      Deno.permissions.revokeSync(descriptor);
    }
  }
  const keptNames = new Set(keep.map(({ name }) => name));
  for (const name of NAMES) if (!keptNames.has(name)) Deno.permissions.revokeSync({ name });
  return missing;
}

/** Reports whether an error is a refusal: by Deno, which lacks a flag, or by the system. */
export function refusalOf(error: unknown): "flag" | "system" | undefined {
  if (error instanceof Deno.errors.NotCapable) return "flag";
  if (error instanceof Deno.errors.PermissionDenied) return "system";
  return undefined;
}

/** A descriptor that nothing can be asked about, such as a malformed port, counts as granted: the flags report it. */
function request(descriptor: Deno.PermissionDescriptor | undefined): boolean {
  return descriptor === undefined || Deno.permissions.requestSync(descriptor).state === "granted";
}

/** The descriptor as this Deno knows it, or undefined where it can parse none. */
function asKnown(descriptor: Deno.PermissionDescriptor): Deno.PermissionDescriptor | undefined {
  try {
    Deno.permissions.querySync(descriptor);
    return descriptor;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof URIError)) throw error;
    if (descriptor.name !== "net" || !descriptor.host?.startsWith("unix:")) return undefined;
    return { name: "net", host: UNIX_BEFORE_2_9 };
  }
}

/** Whether one is the other or, of a path, below it: to revoke it would revoke the other. */
function isWithin(inner: Deno.PermissionDescriptor, outer: Deno.PermissionDescriptor): boolean {
  const [[innerValue, outerValue], same] = [[valueOf(inner), valueOf(outer)], inner.name === outer.name];
  return same && (innerValue === outerValue || innerValue.startsWith(`${outerValue.replace(/\/$/, "")}/`));
}

/** The path, host or variable of a descriptor. */
export function valueOf(descriptor: Deno.PermissionDescriptor): string {
  const { name: _, ...rest } = descriptor;
  return Object.values(rest).map(String).join(" ");
}
