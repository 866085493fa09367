import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { CallTimeout } from "../../exporters/gpu/call_lane.ts";
import { CODE, NvmlError } from "../../exporters/gpu/nvml_codes.ts";
import { problemOf } from "../../exporters/gpu/problems.ts";

Deno.test("problemOf() calls a call that does not return a hang, and many slow ones slow", () => {
  const hung = problemOf("GPU 1", new CallTimeout("nvmlDeviceGetName", true));
  assertEquals(hung.reason, "timeout");
  assertMatch(hung.message, /^GPU 1 hangs: nvmlDeviceGetName does not return; .*reboot/);
  const slow = problemOf("GPU 1", new CallTimeout("nvmlDeviceGetName", false));
  assertEquals(slow.reason, "timeout");
  assertMatch(slow.message, /^GPU 1 is too slow: .*overloaded$/);
});

Deno.test("problemOf() names every code and what to do", () => {
  for (const code of Object.values(CODE)) {
    const { reason, message } = problemOf("GPU 0", new NvmlError(code, "nvmlDeviceGetName"));
    assertMatch(reason, /^[a-z_]+$/);
    assertMatch(message, /^GPU 0 is unavailable: nvmlDeviceGetName returned [A-Z_]+ \(\d+\); [^;]{10,}/);
  }
});

Deno.test("problemOf() hands on what is a fault of this program", () => {
  assertThrows(() => problemOf("GPU 0", new TypeError("no")), TypeError, "no");
});
