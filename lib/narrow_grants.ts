/**
 * What a compiled exporter does before anything else: it narrows the permissions that were compiled in to
 * those that its command line asks for.
 *
 * A compiled program cannot be granted permissions when it starts, and one executable is several exporters, whose user
 * chooses port, address and paths. So these are compiled in wide, and revoked before any library is loaded but the
 * one that reads the command line; from then on the program holds what `deno run` would have given it.
 *
 * @module
 */
import { readCommandLine } from "./command_line.ts";
import { type Grants, mergeGrants, permissionDescriptors } from "./grants.ts";
import type { Manifest } from "./manifest.ts";
import { UsageError } from "./options.ts";
import { retainPermissions, valueOf } from "./permissions.ts";

/** Addresses that an exporter may be asked to listen on: any IPv4 one, and the usual others. */
const WIDE_NET = ["0.0.0.0/0", "[::]", "[::1]", "localhost"];

/** The grants to compile in, so that the exporter's flags can be chosen when it starts. */
export function wideGrants(manifest: Manifest, args: readonly string[] = []): Grants {
  const usual = usualGrants(manifest);
  return mergeGrants([
    // Every exporter may be given a --web.config.file.
    { read: ["/"], net: WIDE_NET },
    ...(usual.write ? [{ write: ["/"] }] : []),
    ...(usual.ffi ? [{ ffi: ["/"] }] : []),
    ...[usual, readCommandLine(manifest, args, () => undefined).grants].map(({ net = [], env = [] }) => ({
      net,
      env,
    })),
  ]);
}

/**
 * Narrows this process's permissions to what `args` ask for, or ends it with a sentence and exit code 2. It may have
 * been granted what any of `exporters` needs.
 */
export function narrowGrants(
  manifest: Manifest,
  args: readonly string[],
  exporters: readonly Manifest[] = [manifest],
): void {
  const usual = permissionDescriptors(usualGrants(manifest));
  const granted = permissionDescriptors(mergeGrants(exporters.map(usualGrants)));
  const wanted = permissionDescriptors(grantsOrExit(manifest, args));
  // The exporter itself reports a missing default grant, where it needs it.
  const usualNames = new Set(usual.map(describe));
  const missing = retainPermissions(wanted, granted).map(describe).filter((grant) => !usualNames.has(grant));
  if (missing.length === 0) return;
  exit(
    manifest,
    `Cannot start as it has no permission for "${missing.join('", "')}": ` +
      `compile it with "deno task compile ${[manifest.name, ...args].join(" ")}"`,
  );
}

function usualGrants(manifest: Manifest): Grants {
  return readCommandLine(manifest, [], () => undefined).grants;
}

function grantsOrExit(manifest: Manifest, args: readonly string[]): Grants {
  try {
    return readCommandLine(manifest, args).grants;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return exit(manifest, error.message);
  }
}

function describe(descriptor: Deno.PermissionDescriptor): string {
  return `${descriptor.name} ${valueOf(descriptor)}`;
}

function exit({ artifact }: Manifest, message: string): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`${artifact}: ${message}\n`));
  Deno.exit(2);
}
