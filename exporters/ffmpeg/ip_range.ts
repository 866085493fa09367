/**
 * Ranges of IP addresses in CIDR notation, of both versions: `127.0.0.0/8`, `fd00::/8`, `10.1.2.3`.
 *
 * https://www.rfc-editor.org/rfc/rfc4632 and https://www.rfc-editor.org/rfc/rfc4291
 *
 * @module
 */
import { BlockList, isIP } from "node:net";

/** The addresses of this machine itself. */
export const LOOPBACK = "127.0.0.0/8,::1";

/**
 * Parses ranges separated by commas.
 *
 * @throws {RangeError} when one of them is not an address or a range
 */
export function parseIpRanges(text: string): BlockList {
  const ranges = new BlockList();
  for (const part of text.split(",")) {
    const [address = "", length, ...rest] = part.trim().split("/");
    const version = isIP(address);
    const longest = version === 4 ? 32 : 128;
    const prefix = length === undefined ? longest : /^\d{1,3}$/.test(length) ? Number(length) : NaN;
    if (version === 0 || rest.length > 0 || !(prefix <= longest)) {
      throw new RangeError('must be addresses or ranges such as "127.0.0.0/8,10.0.0.0/8,fd00::/8"');
    }
    ranges.addSubnet(address, prefix, version === 4 ? "ipv4" : "ipv6");
  }
  return ranges;
}

/** Whether an address lies in one of the ranges; IPv4 within IPv6 (`::ffff:a.b.c.d`) counts as IPv4. */
export function isInRanges(address: string, ranges: BlockList): boolean {
  // A zone (`fe80::1%eth0`) is the way to an address, not part of it.
  const plain = address.replace(/%.*$/, "");
  const version = isIP(plain);
  return version !== 0 && ranges.check(plain, version === 4 ? "ipv4" : "ipv6");
}
