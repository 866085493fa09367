/**
 * Permissions of Deno that are granted by value, as data, as flags and as descriptors.
 *
 * @module
 */

/** Permissions that are granted by value, in the order of the flags. */
export const PERMISSIONS = ["read", "write", "ffi", "net", "env"] as const;

/** A permission that is granted by value. */
export type Permission = typeof PERMISSIONS[number];

/** Grants by permission: `{ read: ["/run/powercap"], net: ["0.0.0.0:9510"] }`. */
export type Grants = { readonly [P in Permission]?: readonly string[] };

/** All that any of them grants, each value once. */
export function mergeGrants(all: readonly Grants[]): Grants {
  const merged: Record<string, string[]> = {};
  for (const permission of PERMISSIONS) {
    const values = [...new Set(all.flatMap((grants) => grants[permission] ?? []))];
    if (values.length > 0) merged[permission] = values;
  }
  return merged;
}

/** The flags of `deno run` and `deno compile` that grant this: `["--allow-read=/a,/b", …]`. */
export function permissionFlags(grants: Grants): string[] {
  return PERMISSIONS.flatMap((permission) => {
    const values = grants[permission] ?? [];
    return values.length > 0 ? [`--allow-${permission}=${values.join(",")}`] : [];
  });
}

/** The same for `Deno.permissions`, one descriptor for each value. */
export function permissionDescriptors(grants: Grants): Deno.PermissionDescriptor[] {
  return PERMISSIONS.flatMap((name) =>
    (grants[name] ?? []).map((value): Deno.PermissionDescriptor => {
      switch (name) {
        case "net":
          return { name, host: value };
        case "env":
          return { name, variable: value };
        default:
          return { name, path: value };
      }
    })
  );
}
