/**
 * Chooses the zones whose sum is the machine's processors and memory, each counted once.
 *
 * Zones overlap: `core` and `uncore` lie within their package, `psys` holds the packages and more, and
 * `intel-rapl-mmio` shows the packages of `intel-rapl` a second time, through another register.
 *
 * @module
 */
import type { Zone } from "./powercap.ts";

const PACKAGE_NAME_REGEXP = /^package-\d/;
const DRAM_NAME = "dram";

/** The zones of `zones` to add up: packages and dram, without those that another one of them already holds. */
export function zonesCountedOnce(zones: readonly Zone[]): Zone[] {
  const byPart = new Map<string, Zone[]>();
  for (const zone of zones) {
    const part = partOf(zone);
    if (part === undefined) continue;
    const same = byPart.get(part);
    if (same) same.push(zone);
    else byPart.set(part, [zone]);
  }
  const counted: Zone[] = [];
  for (const same of byPart.values()) {
    const direct = same.filter((zone) => !isTwin(zone));
    counted.push(...(direct.length > 0 ? direct : same));
  }
  return counted;
}

/** Names the part of the machine that a zone measures; undefined for zones that are not added up. */
function partOf(zone: Zone): string | undefined {
  if (PACKAGE_NAME_REGEXP.test(zone.name)) {
    return isInside(zone, (outer) => PACKAGE_NAME_REGEXP.test(outer.name)) ? undefined : zone.name;
  }
  if (zone.name !== DRAM_NAME || isInside(zone, (outer) => outer.name === DRAM_NAME)) return undefined;
  return `${zone.parent?.name ?? ""}/${DRAM_NAME}`;
}

function isInside(zone: Zone, matches: (outer: Zone) => boolean): boolean {
  for (let outer = zone.parent; outer; outer = outer.parent) {
    if (matches(outer)) return true;
  }
  return false;
}

/** Whether the zone belongs to a control type that repeats what another one shows, as `intel-rapl-mmio` does. */
function isTwin(zone: Zone): boolean {
  return zone.path.includes("-mmio");
}
