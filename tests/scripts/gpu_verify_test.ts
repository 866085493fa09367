/** `deno task gpu:verify` on the stand-in library and a stand-in for nvidia-smi; both fixtures are invented. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { elementsAt, parseValue, parseXml, textAt } from "../../scripts/gpu_verify/smi.ts";
import { ROOT } from "../support/exporter_process.ts";
import { openCollector } from "../support/gpu_collector.ts";
import { NvmlStub, readScript, runCc } from "../support/nvml_stub.ts";
import { needs } from "../support/programs.ts";
import { packageFlags } from "../../scripts/package_flags.ts";

const DOCUMENT = fromFileUrl(new URL("../fixtures/gpu/busy/nvidia-smi.xml", import.meta.url));

interface Result {
  readonly code: number;
  readonly output: string;
  /** What was recorded, by path; without identifiers. */
  readonly recorded: Readonly<Record<string, string>>;
}

interface VerifyOptions {
  readonly document?: string;
  /** What ffmpeg does, as shell. */
  readonly ffmpeg?: string;
  /** Path of the CUDA library. @default one that is not there */
  readonly cuda?: string;
  readonly args?: readonly string[];
}

/** A CUDA whose GPU needs a millisecond for everything. */
const CUDA_STUB = `#include <unistd.h>
int cuInit(unsigned f) { return f; }
int cuDeviceGet(int *d, int n) { return *d = n; }
int cuDevicePrimaryCtxRetain(unsigned long *c, int d) { *c = 7; return d; }
int cuCtxSetCurrent(unsigned long c) { return c != 7; }
int cuMemAlloc_v2(unsigned long *p, unsigned long n) { *p = 8; return n != 1ul << 30; }
int cuMemsetD32_v2(unsigned long p, unsigned v, unsigned long n) { return p != 8 || n != 1ul << 28; }
int cuCtxSynchronize(void) { usleep(1000); return 0; }
`;

/** Makes no film, and does the rest until it is ended. */
const WORKING_FFMPEG = 'case "$*" in *libx264*) exit 0 ;; esac; exec sleep 60';

/** Runs the task with an nvidia-smi that prints `document`, an ffmpeg and a CUDA library. */
async function verify(script: string, options: VerifyOptions = {}): Promise<Result> {
  const folder = await Deno.makeTempDir();
  try {
    using stub = await NvmlStub.create(script);
    const document = options.document ?? await Deno.readTextFile(DOCUMENT);
    await Deno.writeTextFile(`${folder}/document.xml`, document);
    await program(`${folder}/nvidia-smi`, `[ "$*" = "-q -x" ] && cat ${folder}/document.xml`);
    await program(
      `${folder}/ffmpeg`,
      options.ffmpeg ?? 'echo "Cannot load libnvidia-encode.so.1" >&2; exit 1',
    );
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...packageFlags("tests"),
        "-A",
        "scripts/gpu_verify.ts",
        `--nvml=${stub.path}`,
        `--smi=${folder}/nvidia-smi`,
        `--ffmpeg=${folder}/ffmpeg`,
        `--cuda=${options.cuda ?? `${folder}/libcuda.so.1`}`,
        `--record=${folder}/record`,
        ...options.args ?? [],
      ],
      cwd: ROOT,
      stderr: "null",
    }).output();
    return { code, output: new TextDecoder().decode(stdout), recorded: await readAll(`${folder}/record`) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readAll(folder: string): Promise<Record<string, string>> {
  const { stdout } = await new Deno.Command("find", { args: [folder, "-type", "f"], stderr: "null" })
    .output();
  const paths = new TextDecoder().decode(stdout).split("\n").filter(Boolean);
  return Object.fromEntries(
    await Promise.all(
      paths.map(async (path) => [path.slice(folder.length + 1), await Deno.readTextFile(path)] as const),
    ),
  );
}

async function program(path: string, body: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`);
  await Deno.chmod(path, 0o755);
}

Deno.test({
  name: "gpu:verify finds that all values agree, idle and under load",
  ...needs("cc"),
  fn: async () => {
    const { code, output } = await verify(await readScript("busy"), { ffmpeg: WORKING_FFMPEG });
    assertStringIncludes(output, "NVIDIA L40S; driver 580.65.06; idle:");
    assertStringIncludes(output, "under an NVENC load:");
    assertStringIncludes(output, "under an NVDEC load:");
    assertMatch(output, /^under a CUDA load: not tried: .*libcuda\.so\.1/m);
    assertMatch(
      output,
      /^a reading: [\d.]+ ms, the median of 10\nnvidia-smi -q -x: [\d.]+ ms, the median of 10$/m,
    );
    for (const form of ["as its task starts it", "with --jitless"]) {
      assertMatch(output, new RegExp(`^the exporter ${form}: \\d{2} series in \\d+ ms; no problem$`, "m"));
    }
    assert(!output.includes("differs") && !output.includes("missing here"), output);
    assertEquals(output.match(/ 0 do not, 0 only here, /g)?.length, 3, output);
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "gpu:verify names each value that differs or is missing, and fails",
  ...needs("cc"),
  fn: async () => {
    const script = (await readScript("busy"))
      .replace("nvmlDeviceGetTemperatureV 61", "nvmlDeviceGetTemperatureV 16")
      .replace("gpu0 nvmlDeviceGetPowerUsage 143250", "")
      .replace("field:94 1 12", "field:94 1 13");
    const { code, output } = await verify(script);
    assertStringIncludes(
      output,
      'GPU 0 gpu_temperature_celsius{sensor="gpu"} differs: 16; nvidia-smi 61 and 61',
    );
    assertStringIncludes(output, "GPU 0 gpu_power_watts missing here: absent; nvidia-smi 143.25 and 143.25");
    assertStringIncludes(output, "GPU 0 gpu_pcie_replays_total differs: 13;");
    assertStringIncludes(output, ", 3 do not, ");
    assertStringIncludes(output, "under an NVENC load: not tried: Cannot load libnvidia-encode.so.1");
    assertEquals(code, 1);
  },
});

Deno.test({
  name: "gpu:verify records a script that gives the same page, with identifiers masked",
  ...needs("cc"),
  sanitizeResources: false, // The libraries stay open on purpose.
  fn: async () => {
    const script = (await readScript("mig")) +
      (await readScript("busy")).match(/^gpu0.*Encoder.*$/gm)?.join("\n");
    const { recorded } = await verify(script, {
      document: (await Deno.readTextFile(DOCUMENT))
        .replace("GPU-11111111-2222-3333-4444-555555555555", "GPU-a0a0a0a0-0000-0000-0000-000000000000")
        .replace("<uuid>", "<serial>1650322000000</serial><uuid>"),
    });
    const all = Object.values(recorded).join("\n");
    for (const secret of ["GPU-a0a0a0a0", "48211", "1650322000000", "/usr/bin/ffmpeg"]) {
      assertEquals(all.includes(secret), false, secret);
    }
    assertEquals(Object.keys(recorded).sort(), ["idle/nvidia-smi.xml", "idle/script", "report.txt"]);
    const pages: string[] = [];
    for (const each of [script, recorded["idle/script"]]) {
      using stub = await NvmlStub.create(`sys max_wait_ms 20\n${each}`);
      await using test = openCollector(stub);
      pages.push(
        (await test.collect()).page.replace(/(?:GPU|MIG)-[\w-]+/g, "ID").replace(/pid="\d+"/g, "pid"),
      );
    }
    assertEquals(pages[1]?.split("\n"), pages[0]?.split("\n"));
  },
});

Deno.test({
  name: "gpu:verify keeps a card without an encoder at work by CUDA",
  ...needs("cc"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/cuda.c`, CUDA_STUB);
      await runCc(["-shared", "-fPIC", "-o", `${folder}/libcuda.so.1`, `${folder}/cuda.c`]);
      const { code, output, recorded } = await verify(await readScript("busy"), {
        cuda: `${folder}/libcuda.so.1`,
      });
      assertStringIncludes(output, "under a CUDA load:\n");
      assertEquals(code, 0, output);
      assertStringIncludes(recorded["under_a_CUDA_load/script"] ?? "", "gpu0 nvmlDeviceGetPowerUsage 143250");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "gpu:verify ends when its time is up, whatever hangs",
  ...needs("cc"),
  fn: async () => {
    const { code, output } = await verify(await readScript("busy"), {
      ffmpeg: WORKING_FFMPEG,
      args: ["--limit=1s"],
    });
    assertStringIncludes(output, "Time is up");
    assertEquals(code, 2);
  },
});

Deno.test({
  name: "gpu:verify says so where there is no GPU",
  ...needs("cc"),
  fn: async () => {
    const { code, output } = await verify("sys nvmlInit_v2 !9\n");
    assertStringIncludes(output, "DRIVER_NOT_LOADED");
    assertEquals(code, 2);
    assertEquals((await verify("sys nvmlDeviceGetCount_v2 0\n", { document: "<nvidia_smi_log/>" })).code, 2);
  },
});

Deno.test("parseXml() reads nested elements, and text before the document is no hindrance", () => {
  const root = parseXml(
    'Unable to determine\n<?xml version="1.0" ?>\n<a><b id="1"><c>x</c><d/></b><b><c>y</c></b></a>',
  );
  assertEquals(elementsAt(root, "a/b").length, 2);
  assertEquals(elementsAt(root, "a/b/c").map(({ text }) => text), ["x", "y"]);
  assertEquals(textAt(root, "a/b/z"), undefined);
  assertThrows(() => parseXml("<a><b></a>"), SyntaxError, '"a" ends inside "b"');
  assertThrows(() => parseXml("<a>"), SyntaxError, '"a" does not end');
});

Deno.test("parseValue() reads nvidia-smi's values in base units", () => {
  const cases: [text: string | undefined, value: number | undefined][] = [
    ["11.15 W", 11.15],
    ["41 C", 41],
    ["-5 C", -5],
    ["3 %", 0.03],
    ["2 MiB", 2_097_152],
    ["1980 MHz", 1.98e9],
    ["16x", 16],
    ["P8", 8],
    ["Active", 1],
    ["Not Active", 0],
    ["Yes", 1],
    ["812 KB/s", 812_000],
    ["N/A", undefined],
    ["[Unknown Error]", undefined],
    [undefined, undefined],
  ];
  for (const [text, value] of cases) assertEquals(parseValue(text), value, text);
});
