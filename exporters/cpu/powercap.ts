/**
 * Reads a Linux powercap tree: its energy zones, their attributes and their counters.
 *
 * Deno closes /sys to `--allow-read`, so the tree is /sys/devices/virtual/powercap seen through a bind mount
 * at another place. The files: https://docs.kernel.org/power/powercap/powercap.html
 *
 * @module
 */
import { join } from "@std/path";
import { SourceError } from "../../lib/collector.ts";
import { describeFailure } from "./failures.ts";
import { withoutRepeatedDies } from "./repeated_dies.ts";

/** A limit that the kernel holds a zone's mean power to. */
export interface PowerLimit {
  /** The kernel's name for it: `long_term`, `short_term`, `peak_power`. */
  readonly constraint: string;
  /** Microwatts; undefined when it cannot be read. */
  readonly limitMicrowatts: number | undefined;
  /** Microseconds over which the mean is taken; undefined when the limit has no window. */
  readonly windowMicroseconds: number | undefined;
}

/** A part of the machine with an energy counter. */
export interface Zone {
  /** Place in the tree, below its root: the zone's identity. */
  readonly path: string;
  /** The kernel's name: `package-0`, `core`, `dram`, `psys`. Names repeat. */
  readonly name: string;
  /** Number of the processor package it belongs to; empty when it belongs to none. */
  readonly packageId: string;
  /** The zone that it is a part of. */
  readonly parent: Zone | undefined;
  /** Microjoules at which the counter starts again from 0; undefined when unknown. */
  readonly rangeMicrojoules: bigint | undefined;
  /** Whether the kernel enforces the zone's limits. */
  readonly enabled: boolean | undefined;
  readonly limits: readonly PowerLimit[];
}

/** What a walk through the tree found. */
export interface Walk {
  /** Parents before their parts, in numeric order of the path. */
  readonly zones: readonly Zone[];
  /** Folders that could not be listed: there may be zones in them. */
  readonly closed: readonly { readonly path: string; readonly error: unknown }[];
}

/** The kernel nests two levels below the control type; a deeper tree is not a powercap tree. */
const MAX_DEPTH = 8;

const CONSTRAINT_NAME_REGEXP = /^constraint_(\d{1,4})_name$/;
const PACKAGE_REGEXP = /^(?:package|psys)-(\d+)/;
const UNSIGNED_REGEXP = /^\d{1,20}$/;

/**
 * Walks the tree at `root`. Links are not followed: they lead out of the tree or back into it.
 *
 * @throws {SourceError} when there is no tree, or none that could hold a zone
 */
export function walkPowercap(root: string): Walk {
  const entries = listRoot(root);
  const found: Found = { zones: [], closed: [] };
  walkEntries({ root, found }, entries, { prefix: "", parent: undefined, depth: 1 });
  if (found.zones.length === 0 && found.closed.length === 0) {
    throw new SourceError(
      "no_zones",
      `The powercap tree at "${root}" has no energy counters: the processor or its virtual machine offers none, ` +
        `or their driver is not loaded; try "modprobe intel_rapl_msr" as root`,
    );
  }
  return { ...found, zones: withoutRepeatedDies(found.zones) };
}

function listRoot(root: string): Deno.DirEntry[] {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(root)];
  } catch (error) {
    throw describeRootFailure(root, error);
  }
  if (entries.length === 0) {
    throw new SourceError(
      "empty",
      `The powercap tree at "${root}" is empty: a virtual machine has no energy counters, and container engines ` +
        `hide the host's; run the exporter on the host, or mount the host's /sys/devices/virtual/powercap there`,
    );
  }
  if (entries.every((entry) => entry.isSymlink)) {
    throw new SourceError(
      "links",
      `The tree at "${root}" holds only links, which lead nowhere outside /sys: mount ` +
        `/sys/devices/virtual/powercap there, not /sys/class/powercap`,
    );
  }
  return entries;
}

function describeRootFailure(root: string, cause: unknown): SourceError {
  if (cause instanceof Deno.errors.NotFound) {
    return new SourceError(
      "missing",
      `There is no powercap tree at "${root}": as root, run "mkdir -p ${root} && mount --bind ` +
        `/sys/devices/virtual/powercap ${root}", or start the exporter by its systemd unit, which does so; a ` +
        `machine without /sys/devices/virtual/powercap has no energy counters`,
      { cause },
    );
  }
  const { reason, message } = describeFailure(`Cannot read the powercap tree`, root, cause);
  return new SourceError(reason, message, { cause });
}

interface Found {
  readonly zones: Zone[];
  readonly closed: { path: string; error: unknown }[];
}

interface Place {
  /** Path of the folder with a slash behind it; empty for the root. */
  readonly prefix: string;
  /** The zone that the folder is, or is in. */
  readonly parent: Zone | undefined;
  readonly depth: number;
}

function walkEntries(tree: { root: string; found: Found }, entries: Deno.DirEntry[], place: Place): void {
  // The kernel puts a folder "power" beside every device's files; it is about the device's own sleep states.
  const folders = entries.filter((entry) => entry.isDirectory && entry.name !== "power");
  for (const name of folders.map((entry) => entry.name).sort(compareNumerically)) {
    walkFolder(tree, name, place);
  }
}

function walkFolder(tree: { root: string; found: Found }, name: string, place: Place): void {
  const path = place.prefix + name;
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(join(tree.root, path))];
  } catch (error) {
    // A folder that vanished since its parent was listed is simply not there.
    if (!(error instanceof Deno.errors.NotFound)) tree.found.closed.push({ path, error });
    return;
  }
  const isZone = entries.some((entry) => entry.name === "energy_uj" && entry.isFile);
  const zone = isZone ? readZone(tree.root, path, entries, place.parent) : undefined;
  if (zone) tree.found.zones.push(zone);
  if (place.depth === MAX_DEPTH) return;
  walkEntries(tree, entries, { prefix: `${path}/`, parent: zone ?? place.parent, depth: place.depth + 1 });
}

/** `intel-rapl:2` before `intel-rapl:10`. */
function compareNumerically(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true }) || (left < right ? -1 : 1);
}

function readZone(root: string, path: string, inside: Deno.DirEntry[], parent: Zone | undefined): Zone {
  const folder = join(root, path);
  const name = readText(join(folder, "name")) || path.slice(path.lastIndexOf("/") + 1);
  const range = readUnsigned(join(folder, "max_energy_range_uj"));
  const enabled = readUnsigned(join(folder, "enabled"));
  return {
    path,
    name,
    packageId: PACKAGE_REGEXP.exec(name)?.[1] ?? parent?.packageId ?? "",
    parent,
    rangeMicrojoules: range || undefined,
    enabled: enabled === undefined ? undefined : enabled !== 0n,
    limits: readLimits(folder, inside),
  };
}

function readLimits(folder: string, inside: Deno.DirEntry[]): PowerLimit[] {
  const indexes = inside.map((entry) => CONSTRAINT_NAME_REGEXP.exec(entry.name)?.[1])
    .filter((index) => index !== undefined)
    .sort(compareNumerically);
  const limits: PowerLimit[] = [];
  for (const index of indexes) {
    let constraint = readText(join(folder, `constraint_${index}_name`)) || index;
    while (limits.some((limit) => limit.constraint === constraint)) constraint += `_${index}`;
    limits.push({
      constraint,
      limitMicrowatts: toNumber(readUnsigned(join(folder, `constraint_${index}_power_limit_uw`))),
      windowMicroseconds: toNumber(readUnsigned(join(folder, `constraint_${index}_time_window_us`))),
    });
  }
  return limits;
}

function toNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function readUnsigned(path: string): bigint | undefined {
  const text = readText(path);
  return text !== undefined && UNSIGNED_REGEXP.test(text) ? BigInt(text) : undefined;
}

/** Any attribute may be missing or refused (ENODATA is common): then it is not published. */
function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined;
  }
}

/** A zone's energy counter, opened once and read repeatedly. */
export class EnergyFile implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #buffer = new Uint8Array(64);
  /** The same for two files that are one. */
  readonly identity: string;

  /** @throws {Error} when it cannot be opened */
  constructor(path: string) {
    this.#file = Deno.openSync(path);
    const { dev, ino } = this.#file.statSync();
    this.identity = `${dev}:${ino}`;
  }

  /**
   * Reads the counter, in microjoules.
   *
   * @throws {SyntaxError} when it does not hold a number
   * @throws {Error} when it cannot be read
   */
  read(): bigint {
    this.#file.seekSync(0, Deno.SeekMode.Start);
    const length = this.#file.readSync(this.#buffer) ?? 0;
    const text = DECODER.decode(this.#buffer.subarray(0, length)).split("\n", 1)[0] ?? "";
    if (!UNSIGNED_REGEXP.test(text)) {
      throw new SyntaxError(
        `The counter must be a whole number of microjoules: it is ${JSON.stringify(text)}`,
      );
    }
    return BigInt(text);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

const DECODER = new TextDecoder();
