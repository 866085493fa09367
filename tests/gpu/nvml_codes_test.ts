import { assertEquals } from "@std/assert";
import { CODE, describeCode, isAbsent, isFatal, mayRecover } from "../../exporters/gpu/nvml_codes.ts";

Deno.test("describeCode() names each code, and any other by its number", () => {
  assertEquals(describeCode(15), "GPU_IS_LOST (15)");
  assertEquals(describeCode(31), "UNKNOWN (31)");
  assertEquals(describeCode(-1), "UNKNOWN (-1)");
});

Deno.test("A code is absent, fatal or a failure, never two of them, and success is none", () => {
  for (const code of Object.values(CODE)) {
    assertEquals(isAbsent(code) && isFatal(code), false, describeCode(code));
  }
  assertEquals([isAbsent(CODE.SUCCESS), isFatal(CODE.SUCCESS)], [false, false]);
});

Deno.test("mayRecover() is false where somebody has to act first", () => {
  assertEquals([CODE.NO_PERMISSION, CODE.INSUFFICIENT_POWER, CODE.OPERATING_SYSTEM].map(mayRecover), [
    false,
    false,
    false,
  ]);
  assertEquals([CODE.GPU_IS_LOST, CODE.UNINITIALIZED].map(mayRecover), [true, true]);
});
