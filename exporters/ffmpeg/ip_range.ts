/**
 * Ranges of IP addresses in CIDR notation, of both versions: `127.0.0.0/8`, `fd00::/8`, `10.1.2.3`.
 *
 * https://www.rfc-editor.org/rfc/rfc4632 and https://www.rfc-editor.org/rfc/rfc4291
 *
 * @module
 */

/** A range of addresses; all are held as IPv6, IPv4 ones in their mapped form (`::ffff:a.b.c.d`). */
export interface IpRange {
  readonly network: bigint;
  /** Bits that count, 0 to 128. */
  readonly prefix: number;
}

/** The addresses of this machine itself. */
export const LOOPBACK = "127.0.0.0/8,::1";

const MAPPED_BITS = 96;
const MAPPED = 0xffffn << 32n;

/**
 * Parses ranges separated by commas.
 *
 * @throws {RangeError} when one is none
 */
export function parseIpRanges(text: string): IpRange[] {
  return text.split(",").map((part) => {
    const [address = "", length] = part.trim().split("/", 2);
    const value = parseIp(address);
    const offset = address.includes(":") ? 0 : MAPPED_BITS;
    const prefix = length === undefined ? 128 : /^\d{1,3}$/.test(length) ? Number(length) + offset : NaN;
    if (value === undefined || !(prefix <= 128)) {
      throw new RangeError('must be addresses or ranges such as "127.0.0.0/8,10.0.0.0/8,fd00::/8"');
    }
    return { network: value >> BigInt(128 - prefix), prefix };
  });
}

/** Whether an address lies in one of the ranges. */
export function isInRanges(address: string, ranges: readonly IpRange[]): boolean {
  const value = parseIp(address);
  if (value === undefined) return false;
  return ranges.some(({ network, prefix }) => value >> BigInt(128 - prefix) === network);
}

/** Parses an address of either version to its 128 bits; undefined if it is none. */
export function parseIp(text: string): bigint | undefined {
  if (!text.includes(":")) {
    const bits = parseIpv4(text);
    return bits === undefined ? undefined : MAPPED | bits;
  }
  // A zone (`fe80::1%eth0`) says how to get there, not who it is.
  const address = text.replace(/%.*$/, "");
  const halves = address.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(parseGroups);
  if (!head || (halves.length === 2 && !tail)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<bigint>(missing).fill(0n), ...(tail ?? [])];
  return groups.reduce((bits, group) => bits << 16n | group, 0n);
}

/** Parses 16-bit groups separated by colons; the last two may be written as an IPv4 address. */
function parseGroups(text: string): bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[\da-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else {
      const bits = index === parts.length - 1 ? parseIpv4(part) : undefined;
      if (bits === undefined) return undefined;
      groups.push(bits >> 16n, bits & 0xffffn);
    }
  }
  return groups;
}

function parseIpv4(text: string): bigint | undefined {
  if (!/^(?:\d{1,3}\.){3}\d{1,3}$/.test(text)) return undefined;
  const bytes = text.split(".").map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((bits, byte) => bits << 8n | BigInt(byte), 0n);
}
