/** The GPU exporter as a process, with the permissions of production, on the stand-in library. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname } from "@std/path";
import { MANIFEST, NVML_PATHS } from "../../exporters/gpu/manifest.ts";
import { denoFlags } from "../../lib/command_line.ts";
import { Audit } from "../support/audit.ts";
import { eventually, startExporter } from "../support/exporter_process.ts";
import { sampleOf, startGpuExporter } from "../support/gpu_exporter.ts";
import { shownAt } from "../support/gpu_library.ts";
import { NvmlStub, readScript } from "../support/nvml_stub.ts";
import { needs, needsNamespaces } from "../support/programs.ts";

const TWO_GPUS = `sys nvmlDeviceGetCount_v2 2
gpu0 nvmlDeviceGetUUID GPU-0
gpu1 nvmlDeviceGetUUID GPU-1
gpu* nvmlDeviceGetPowerUsage 50000
`;

Deno.test({
  name: "gpu exporter answers /health and shows the other GPUs while a call hangs, and still stops",
  ...needs("cc"),
  fn: async () => {
    using stub = await NvmlStub.create(TWO_GPUS);
    await using exporter = await startGpuExporter(stub);
    assertStringIncludes(await exporter.metrics(), "gpu_devices 2\n");
    stub.script = `${TWO_GPUS}gpu1 * hang\n`;
    const first = exporter.metrics();
    await exporter.health();
    const pages = [await first, await exporter.metrics(), await exporter.metrics()];
    for (const page of pages) {
      assertEquals(sampleOf(page, 'gpu_up{gpu="0",uuid="GPU-0"}'), 1);
      assertEquals(sampleOf(page, 'gpu_up{gpu="1",uuid="GPU-1"}'), 0);
      assertEquals(sampleOf(page, 'exporter_source_error{source="nvml",reason="timeout"}'), 1);
    }
    const { status, sources: [source] } = await exporter.health();
    assertEquals(status, "degraded");
    assertMatch(source?.reason ?? "", /^GPU 1 hangs: nvml\w+ does not return; /);
    exporter.kill("SIGTERM");
    assertEquals(await exporter.exitCode, 0);
  },
});

Deno.test({
  name: "gpu exporter holds no permission once the library is open, and still starts over after a reset",
  ...needs("cc"),
  fn: async () => {
    using stub = await NvmlStub.create(TWO_GPUS);
    await using exporter = await startExporter("gpu", {
      script: "tests/support/probes/gpu.ts",
      args: [`--nvml=${stub.path}`, "--interval=1ms"],
      permissions: ["--no-prompt", `--allow-ffi=${stub.path}`, "--allow-net=0.0.0.0"],
    });
    const permissions = await (await fetch(`${exporter.url}/permissions?ffi=${stub.path}&net=0.0.0.0`))
      .json();
    assertEquals(Object.values(permissions).includes("granted"), false, JSON.stringify(permissions));
    await exporter.metrics();
    stub.script = `${TWO_GPUS}gpu* * !15\nsys nvmlInit_v2 !9\n`;
    await eventually(async () => {
      const { sources: [source] } = await (await exporter.metrics(), exporter.health());
      assertStringIncludes(source?.reason ?? "", "DRIVER_NOT_LOADED (9)");
    });
    stub.script = TWO_GPUS;
    await eventually(async () => assertStringIncludes(await exporter.metrics(), "gpu_devices 2\n"), 15_000);
    assertEquals((await exporter.health()).status, "ok");
  },
});

Deno.test({
  name: "gpu exporter starts without a library, reports what it tried, and finds the library later",
  ...needs("cc"),
  fn: async () => {
    using stub = await NvmlStub.create(TWO_GPUS);
    await Deno.rename(stub.path, `${stub.path}.away`);
    await using exporter = await startExporter("gpu", {
      script: "tests/support/probes/gpu.ts",
      args: [`--nvml=${stub.path}`, "--interval=1ms"],
      permissions: ["--no-prompt", `--allow-ffi=${stub.path}`, "--allow-net=0.0.0.0"],
    });
    const page = await exporter.metrics();
    assertStringIncludes(page, "gpu_devices 0\n");
    assertStringIncludes(page, "gpu_expected_devices 0\n");
    assertEquals(sampleOf(page, 'exporter_source_error{source="nvml",reason="missing"}'), 1);
    const { status, sources: [source] } = await exporter.health();
    assertEquals([status, source?.up], ["degraded", false]);
    assertStringIncludes(source?.reason ?? "", `No NVIDIA library at "${stub.path}"`);
    await Deno.rename(`${stub.path}.away`, stub.path);
    await eventually(async () => assertStringIncludes(await exporter.metrics(), "gpu_devices 2\n"));
    const permissions = await (await fetch(`${exporter.url}/permissions?ffi=${stub.path}&net=0.0.0.0`))
      .json();
    assertEquals(Object.values(permissions).includes("granted"), false, JSON.stringify(permissions));
    // Deleted or replaced on disk, the library that is open goes on working.
    await Deno.remove(stub.path);
    assertStringIncludes(await exporter.metrics(), "gpu_devices 2\n");
  },
});

Deno.test({
  name: "gpu exporter needs what its task grants, and nothing else",
  ...needs("cc"),
  fn: async () => {
    using stub = await NvmlStub.create(await readScript("busy"));
    using audit = new Audit();
    await using exporter = await startExporter("gpu", {
      args: [`--nvml=${stub.path}`, "--processes"],
      permissions: ["--no-prompt", `--allow-ffi=${stub.path}`, "--allow-net=0.0.0.0"],
      env: audit.env,
    });
    await exporter.metrics();
    await (await fetch(exporter.url)).body?.cancel();
    const used = audit.uses().map(({ permission }) => permission);
    assertEquals([...new Set(used)].sort(), ["ffi", "net"]);
  },
});

Deno.test({
  name: "gpu exporter finds the library wherever distributions put it, as its task may",
  ignore: needs("cc").ignore || needsNamespaces().ignore,
  fn: async () => {
    using stub = await NvmlStub.create(TWO_GPUS);
    for (const path of NVML_PATHS) {
      using shown = shownAt(path, stub.path, `${dirname(stub.path)}/script`);
      await using exporter = await startExporter("gpu", { prefix: shown.prefix });
      assertStringIncludes(await exporter.metrics(), "gpu_devices 2\n");
      assertStringIncludes(exporter.stderr(), `path=${path}`);
    }
  },
});

Deno.test("gpu exporter names the flag that is missing, and serves", async () => {
  await using exporter = await startExporter("gpu", { permissions: ["--no-prompt", "--allow-net=0.0.0.0"] });
  const { sources: [source] } = await exporter.health();
  const flag = denoFlags(MANIFEST).find((flag) => flag.startsWith("--allow-ffi="));
  assertStringIncludes(source?.reason ?? "", `start with "${flag}"`);
  assertStringIncludes(await exporter.metrics(), "gpu_devices 0\n");
});

Deno.test("gpu exporter refuses a library path that is not absolute", async () => {
  const error = await startExporter("gpu", { args: ["--nvml=libnvidia-ml.so.1"] }).then(
    () => "",
    (error) => error.message,
  );
  assertStringIncludes(
    error,
    'Cannot use "--nvml" as it must be an absolute path: current value is "libnvidia-ml.so.1"',
  );
});
