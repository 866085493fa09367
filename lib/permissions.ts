/**
 * Deno permissions: giving back what is no longer needed, and saying which flag a refusal asks for.
 *
 * https://docs.deno.com/runtime/fundamentals/security/
 *
 * @module
 */

const NAMES = ["run", "ffi", "write", "env", "sys", "import", "read", "net"] as const;

/**
 * Gives back every permission except those in `keep`. Listeners, open files and open libraries stay usable.
 * Of a permission that is kept for something, only `release` is given back.
 */
export function dropPermissions(
  keep: readonly Deno.PermissionDescriptor[],
  release: readonly Deno.PermissionDescriptor[] = [],
): void {
  const kept = new Set(keep.map(({ name }) => name));
  for (const name of NAMES) {
    if (!kept.has(name)) Deno.permissions.revokeSync({ name } as Deno.PermissionDescriptor);
  }
  for (const descriptor of release) {
    if (kept.has(descriptor.name)) Deno.permissions.revokeSync(descriptor);
  }
}

/** Says whether an error is a refusal: by Deno for want of a flag, or by the system. */
export function refusalOf(error: unknown): "flag" | "system" | undefined {
  if (error instanceof Deno.errors.NotCapable) return "flag";
  if (error instanceof Deno.errors.PermissionDenied) return "system";
  return undefined;
}
