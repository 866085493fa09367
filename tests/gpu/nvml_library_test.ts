import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { NVML_PATHS } from "../../exporters/gpu/manifest.ts";
import { NvmlLibraryError, openNvmlLibrary } from "../../exporters/gpu/nvml_library.ts";
import { createFakeSymbols } from "../../simulation/nvml_fake.ts";
import { NvmlStub } from "../support/nvml_stub.ts";
import { needs } from "../support/programs.ts";

const symbols = createFakeSymbols({ driverVersion: "1", gpus: [] });

Deno.test("NVML_PATHS are absolute paths of the library", () => {
  assertEquals(NVML_PATHS.length >= 6, true);
  for (const path of NVML_PATHS) assertMatch(path, /^\/(?:usr|run)\/.+\/libnvidia-ml\.so\.1$/);
});

Deno.test("openNvmlLibrary() opens the first path that is granted and opens", () => {
  const tried: string[] = [];
  const library = openNvmlLibrary({
    paths: ["/not/granted", "/missing", "/wrong/class", "/good", "/later"],
    mayOpen: (path) => path !== "/not/granted",
    dlopen: (path) => {
      tried.push(path);
      if (path === "/missing") throw new Error("cannot open shared object file: No such file or directory");
      if (path === "/wrong/class") throw new Error("wrong ELF class: ELFCLASS32");
      return { symbols };
    },
  });
  assertEquals(library.path, "/good");
  assertEquals(tried, ["/missing", "/wrong/class", "/good"]);
});

Deno.test("openNvmlLibrary() names the flag that is missing", () => {
  const error = assertThrows(
    () => openNvmlLibrary({ paths: ["/a", "/b"], mayOpen: () => false }),
    NvmlLibraryError,
  );
  assertEquals(error.reason, "permission");
  assertStringIncludes(error.message, 'start with "--allow-ffi=/a,/b"');
});

Deno.test("openNvmlLibrary() lists what it tried where there is no library", () => {
  const error = assertThrows(
    () => openNvmlLibrary({ paths: ["/nowhere/libnvidia-ml.so.1"], mayOpen: () => true }),
    NvmlLibraryError,
  );
  assertEquals(error.reason, "missing");
  assertStringIncludes(error.message, '"/nowhere/libnvidia-ml.so.1"');
});

Deno.test("openNvmlLibrary() names a file that is no library", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "not a library");
    const error = assertThrows(
      () => openNvmlLibrary({ paths: [path], mayOpen: () => true }),
      NvmlLibraryError,
    );
    assertEquals(error.reason, "invalid");
    assertStringIncludes(error.message, path);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test({
  name: "openNvmlLibrary() gives null for the functions that a driver lacks",
  ...needs("cc"),
  sanitizeResources: false, // The library stays open on purpose.
  fn: async () => {
    using old = await NvmlStub.create("sys nvmlDeviceGetCount_v2 0\n", { old: true });
    using recent = await NvmlStub.create("sys nvmlDeviceGetCount_v2 0\n");
    const has = (path: string): string[] =>
      Object.entries(openNvmlLibrary({ paths: [path] }).symbols).filter(([, call]) => call).map(([name]) =>
        name
      );
    const [before, after] = [has(old.path), has(recent.path)];
    assertEquals(before.includes("nvmlDeviceGetTemperatureV"), false);
    assertEquals(before.includes("nvmlDeviceGetTemperature"), true);
    // The stand-in for a driver of today has every function of the table.
    assertEquals(after.length, Object.keys(symbols).length);
  },
});
