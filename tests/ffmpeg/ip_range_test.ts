/**
 * Ranges of addresses.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { isInRanges, LOOPBACK, parseIpRanges } from "../../exporters/ffmpeg/ip_range.ts";

Deno.test("isInRanges() knows both versions and IPv4 within IPv6", () => {
  const cases: readonly [ranges: string, address: string, expected: boolean][] = [
    [LOOPBACK, "127.0.0.1", true],
    [LOOPBACK, "127.255.0.9", true],
    [LOOPBACK, "::1", true],
    [LOOPBACK, "::ffff:127.0.0.1", true],
    [LOOPBACK, "128.0.0.1", false],
    [LOOPBACK, "::2", false],
    [LOOPBACK, "not an address", false],
    ["10.0.0.0/8, 192.168.1.7", "10.9.8.7", true],
    ["10.0.0.0/8, 192.168.1.7", "192.168.1.7", true],
    ["10.0.0.0/8, 192.168.1.7", "192.168.1.8", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "203.0.113.9", false],
    ["fd00::/8", "fdab::1", true],
    ["fd00::/8", "fe80::1%eth0", false],
    ["fe80::/10", "fe80::1%eth0", true],
    ["2001:db8::/33", "2001:db8:7fff::", true],
    ["2001:db8::/33", "2001:db8:8000::", false],
  ];
  for (const [ranges, address, expected] of cases) {
    assertEquals(isInRanges(address, parseIpRanges(ranges)), expected, `${address} in ${ranges}`);
  }
});

Deno.test("parseIpRanges() refuses what is no range", () => {
  for (
    const text of [
      "",
      "x",
      "1.2.3",
      "1.2.3.256",
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/-1",
      "1:2:3",
      "1::2::3",
      "::1/",
      "10.0.0.0/8,",
      "10.0.0.0/8/24",
    ]
  ) {
    assertThrows(() => parseIpRanges(text), RangeError, "must be addresses or ranges");
  }
});
