/**
 * How long a collection takes, beside the bare calls that it makes.
 *
 * @module
 */
import process from "node:process";
import { openNvmlLibrary } from "../../exporters/gpu/nvml_library.ts";
import { NVML_SYMBOLS, type NvmlSymbols } from "../../exporters/gpu/nvml_symbols.ts";
import { openCollector } from "./gpu_collector.ts";
import type { NvmlStub } from "./nvml_stub.ts";

/** A machine of many equal GPUs, of which everything can be read. */
export interface ScaleOptions {
  readonly gpus: number;
  /** MIG devices of each GPU. @default {0} */
  readonly mig?: number;
  /** How long each call takes. @default {0} */
  readonly delayMicroseconds?: number;
  /** Whether the driver does one call at a time, whatever the GPU. @default {false} */
  readonly serial?: boolean;
}

/** The stand-in library's script for such a machine. */
export function scaleScript({ gpus, mig = 0, delayMicroseconds = 0, serial = false }: ScaleOptions): string {
  const lines = [
    "sys max_wait_ms 20",
    `sys delay_us ${delayMicroseconds}`,
    `sys serial ${serial ? 1 : 0}`,
    `sys nvmlDeviceGetCount_v2 ${gpus}`,
  ];
  for (let gpu = 0; gpu < gpus; gpu++) {
    lines.push(`gpu${gpu} nvmlDeviceGetUUID GPU-${gpu}`);
    for (let slot = 0; slot < mig; slot++) {
      lines.push(`gpu${gpu}/mig${slot} nvmlDeviceGetUUID MIG-${gpu}-${slot}`);
      lines.push(`gpu${gpu}/mig${slot} nvmlDeviceGetGpuInstanceId ${slot + 1}`);
    }
  }
  const all = `nvmlDeviceGetName Card
nvmlDeviceGetPciInfo_v3 00000000:01:00.0
nvmlDeviceGetMinorNumber 0
nvmlDeviceGetPowerUsage 50000
nvmlDeviceGetEnforcedPowerLimit 70000
nvmlDeviceGetTemperatureV 40
nvmlDeviceGetUtilizationRates 10 10
nvmlDeviceGetEncoderUtilization 10 1
nvmlDeviceGetDecoderUtilization 10 1
nvmlDeviceGetJpgUtilization 0 1
nvmlDeviceGetOfaUtilization 0 1
nvmlDeviceGetEncoderStats 2 60 8000
nvmlDeviceGetEncoderSessions 1 4242 0 0 1920 1080 60 8000 2 4243 0 1 1280 720 60 8000
nvmlDeviceGetEncoderCapacity:0 50
nvmlDeviceGetEncoderCapacity:1 50
nvmlDeviceGetEncoderCapacity:2 50
nvmlDeviceGetMemoryInfo_v2 1000 100 600 300
nvmlDeviceGetClockInfo:0 1000
nvmlDeviceGetClockInfo:1 1000
nvmlDeviceGetClockInfo:2 1000
nvmlDeviceGetClockInfo:3 1000
nvmlDeviceGetPerformanceState 0
nvmlDeviceGetCurrentClocksEventReasons 0
nvmlDeviceGetSupportedClocksEventReasons 511
nvmlDeviceGetCurrPcieLinkGeneration 4
nvmlDeviceGetCurrPcieLinkWidth 16
nvmlDeviceGetMigMode ${mig > 0 ? 1 : 0} 0
nvmlDeviceGetMaxMigDeviceCount ${mig}
field:83 3 1000
field:197 3 1000
field:198 3 1000`;
  lines.push(...all.split("\n").map((line) => `gpu* ${line}`));
  for (let slot = 0; slot < mig; slot++) lines.push(`gpu* nvmlDeviceGetMigDeviceHandleByIndex:${slot} 0`);
  lines.push(
    "gpu*/mig* nvmlDeviceGetMemoryInfo_v2 100 10 60 30",
    "gpu*/mig* nvmlDeviceGetComputeInstanceId 0",
  );
  return `${lines.join("\n")}\n`;
}

/** What was measured. */
export interface ScaleResult {
  /** Calls in one collection. */
  readonly calls: number;
  /** The same calls one after the other, blocking, with nothing around them, in milliseconds. */
  readonly bareMs: number;
  /** One collection and the page of it, in milliseconds. */
  readonly collectMs: number;
  /** CPU time of that, all threads together, in milliseconds. */
  readonly cpuMs: number;
}

/** Measures collections on the stand-in library: medians of `rounds`. */
export async function measureCollections(stub: NvmlStub, rounds: number): Promise<ScaleResult> {
  const { symbols } = openNvmlLibrary({ paths: [stub.path] });
  const log: [name: string, args: unknown[]][] = [];
  const recorded = Object.fromEntries(
    Object.entries(symbols).map(([name, call]) => [
      name,
      call && ((...args: unknown[]) => {
        log.push([name, args]);
        return (call as (...args: unknown[]) => unknown)(...args);
      }),
    ]),
  ) as unknown as NvmlSymbols;
  await using test = openCollector(recorded);
  await test.collect();
  log.length = 0;
  await test.collect();
  // The wait for Xids goes on beside the collections.
  const calls = log.filter(([name]) => name !== "nvmlEventSetWait_v2");
  const bareMs = median(timeBare(stub, calls, rounds));
  const [wall, cpu]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    const before = process.cpuUsage();
    await test.collect();
    const { user, system } = process.cpuUsage(before);
    wall.push(performance.now() - startedMs);
    cpu.push((user + system) / 1000);
  }
  return { calls: calls.length, bareMs, collectMs: median(wall), cpuMs: median(cpu) };
}

function timeBare(
  stub: NvmlStub,
  calls: readonly [name: string, args: unknown[]][],
  rounds: number,
): number[] {
  const blocking = Object.fromEntries(
    Object.entries(NVML_SYMBOLS).map(([name, { parameters, result }]) => [name, { parameters, result }]),
  ) as Deno.ForeignLibraryInterface;
  const library = Deno.dlopen(stub.path, blocking);
  const times = Array.from({ length: rounds }, () => {
    const startedMs = performance.now();
    for (const [name, args] of calls) (library.symbols[name] as (...args: unknown[]) => unknown)(...args);
    return performance.now() - startedMs;
  });
  library.close();
  return times;
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? NaN;
}
