/**
 * Recognises dies whose counter is their whole package's.
 *
 * Linux 6.10.0 to 6.10.11 and 6.11.0 take each core complex of an AMD package for a die and list it as a zone
 * `package-N-die-M`, though the register behind all of them counts the package: on a machine of eight dies the sum
 * is eight times the truth. Introduced by https://git.kernel.org/torvalds/c/63edbaa48a57, fixed in 6.10.12, 6.11.1
 * and 6.12 by https://git.kernel.org/torvalds/c/26096aed255f.
 * Intel's dies (Cascade Lake AP) have registers of their own.
 *
 * @module
 */
import type { Zone } from "./powercap.ts";

const DIE_REGEXP = /^(package-\d+)-die-\d+$/;

/**
 * The zones without dies that repeat another one's counter; the die that stays gets the package's name. The
 * zones inside a die stay too: each `core` has its own counter.
 *
 * AMD zones are recognised by having no power limits: the driver offers none for AMD, and some for each Intel package.
 */
export function withoutRepeatedDies(zones: readonly Zone[]): Zone[] {
  const packages = new Set<string>();
  const kept: Zone[] = [];
  for (const zone of zones) {
    const name = zone.limits.length === 0 ? DIE_REGEXP.exec(zone.name)?.[1] : undefined;
    if (name === undefined) kept.push(zone);
    else if (!packages.has(name)) {
      packages.add(name);
      kept.push({ ...zone, name });
    }
  }
  return kept;
}
