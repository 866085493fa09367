/**
 * What a compiled exporter does before anything else: it narrows the permissions that were compiled in to
 * those that its command line asks for.
 *
 * A compiled program cannot be given permissions when it starts, and whoever starts it chooses port, address
 * and paths. So these are compiled in wide, and given back before the first library is loaded; from then on
 * the program holds what `deno run` would have given it.
 *
 * @module
 */
import { CATALOG, type ExporterName } from "./catalog.ts";
import { type Grants, grantsFor, taskGrants } from "./grants.ts";

/** Addresses that an exporter may be told to listen on: any IPv4 one, and the usual others. */
const WIDE_NET = ["0.0.0.0/0", "[::]", "[::1]", "localhost"];

/** What to give back for {@linkcode WIDE_NET} to be gone: a range is given back by an address within it. */
const WIDE_NET_RELEASE = ["255.255.255.255", "[::]", "[::1]", "localhost"];

/** What Deno asks for in place of `unix:` before 2.9, which does not know that: every socket counts as this. */
export const UNIX_BEFORE_2_9 = "localhost:80";

/** The grants to compile in, so that the exporter's flags can be chosen when it starts. */
export function wideGrants(name: ExporterName, args: readonly string[] = []): Grants {
  const { write, ffi, net = [] } = taskGrants(name);
  const others = [...net.slice(1), ...(grantsFor(name, args).net ?? [])];
  return {
    // Every exporter may be given a --web.config.file.
    read: ["/"],
    ...(write && { write: ["/"] }),
    ...(ffi && { ffi: ["/"] }),
    net: [...new Set([...WIDE_NET, ...others])],
  };
}

/** Narrows this process's permissions to what `args` ask for, or ends it with a sentence and exit code 2. */
export function narrowGrants(name: ExporterName, args: readonly string[]): void {
  const wanted = grantsFor(name, args);
  const usual = new Set(descriptors(taskGrants(name)).map(describe));
  // What it was to have without being told so, it says itself if it needs it.
  const missing = descriptors(wanted).filter((descriptor) => !keep(descriptor)).map(describe)
    .filter((grant) => !usual.has(grant));
  for (const descriptor of descriptors({ read: ["/"], write: ["/"], ffi: ["/"], net: WIDE_NET_RELEASE })) {
    Deno.permissions.revokeSync(descriptor);
  }
  for (const permission of ["read", "write", "ffi", "net"] as const) {
    if (!wanted[permission]?.length) Deno.permissions.revokeSync({ name: permission });
  }
  if (missing.length === 0) return;
  Deno.stderr.writeSync(
    new TextEncoder().encode(
      `${CATALOG[name].artifact}: Cannot start as it has no permission for "${missing.join('", "')}": ` +
        `compile it with "deno task compile ${[name, ...args].join(" ")}"\n`,
    ),
  );
  Deno.exit(2);
}

function describe(descriptor: Deno.PermissionDescriptor): string {
  return Object.values(descriptor).join(" ");
}

/** Asks for a grant of its own within a wider one, which then can be given back. */
function keep(descriptor: Deno.PermissionDescriptor): boolean {
  try {
    return Deno.permissions.requestSync(descriptor).state === "granted";
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof URIError)) throw error;
    if (descriptor.name === "net" && descriptor.host?.startsWith("unix:")) {
      return keep({ name: "net", host: UNIX_BEFORE_2_9 });
    }
    // A malformed port, of which reading the flags tells in a moment.
    return true;
  }
}

function descriptors(grants: Grants): Deno.PermissionDescriptor[] {
  return [
    ...(["read", "write", "ffi"] as const).flatMap((name) =>
      (grants[name] ?? []).map((path): Deno.PermissionDescriptor => ({ name, path }))
    ),
    ...(grants.net ?? []).map((host): Deno.PermissionDescriptor => ({ name: "net", host })),
  ];
}
