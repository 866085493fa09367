import { assertEquals } from "@std/assert";
import { heldUp, readMachineCpu } from "../../exporters/ffmpeg/machine_cpu.ts";

Deno.test("readMachineCpu() counts guests once and stolen time not at all", () => {
  using file = temporaryFile("cpu  20000 300 12000 165000 1500 40 660 500 9000 0\ncpu0 1 2 3\n");
  assertEquals(readMachineCpu(file.path), { busySeconds: 330, idleSeconds: 1665 });
});

Deno.test("readMachineCpu() knows nothing where the file is missing, empty or of another form", () => {
  for (const text of ["", "intr 5\n", "cpu  1 2 3\n", "cpu  1 2 x 4 5 6 7\n"]) {
    using file = temporaryFile(text);
    assertEquals(readMachineCpu(file.path), undefined, text);
    assertEquals(readMachineCpu(`${file.path}/stat`), undefined);
  }
  assertEquals(readMachineCpu("/nonexistent/stat"), undefined);
});

Deno.test("readMachineCpu() agrees with the time that passed on this machine", () => {
  const cpu = readMachineCpu("/proc/stat");
  const uptime = Number(Deno.readTextFileSync("/proc/uptime").split(" ", 1)[0]);
  const all = (cpu?.busySeconds ?? NaN) + (cpu?.idleSeconds ?? NaN);
  assertEquals(all > 0 && all < 1.1 * uptime * navigator.hardwareConcurrency, true, `${all} of ${uptime}`);
});

Deno.test("heldUp() lets idle time not fall by what the kernel takes back for a moment", () => {
  const before = { busySeconds: 10, idleSeconds: 100 };
  assertEquals(heldUp(undefined, before), before);
  assertEquals(heldUp(before, undefined), undefined);
  assertEquals(heldUp(before, { busySeconds: 11, idleSeconds: 99 }), { busySeconds: 11, idleSeconds: 100 });
  assertEquals(heldUp(before, { busySeconds: 11, idleSeconds: 101 }), { busySeconds: 11, idleSeconds: 101 });
  // A processor goes offline.
  assertEquals(heldUp(before, { busySeconds: 11, idleSeconds: 60 }), { busySeconds: 11, idleSeconds: 60 });
});

function temporaryFile(text: string): Disposable & { path: string } {
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, text);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}
