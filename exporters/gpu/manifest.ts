/**
 * What the GPU exporter is.
 *
 * @module
 */
import type { Manifest } from "../../lib/manifest.ts";
import { parseDurationMs } from "../../lib/options.ts";

/**
 * Where distributions, containers, WSL and NixOS put the driver's library. Absolute paths only: with `--allow-ffi`
 * scoped, Deno would look for a bare name in the working directory.
 */
export const NVML_PATHS: readonly string[] = [
  "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
  "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
  "/usr/lib64/libnvidia-ml.so.1",
  "/usr/lib/libnvidia-ml.so.1",
  "/usr/lib/nvidia/libnvidia-ml.so.1",
  "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
  "/usr/lib/wsl/lib/libnvidia-ml.so.1",
  "/run/opengl-driver/lib/libnvidia-ml.so.1",
];

/** Its name, port and flags. */
export const MANIFEST = {
  name: "gpu",
  port: 9511,
  portVariable: "GPU_EXPORTER_PORT",
  artifact: "gpu-exporter",
  measures: "NVIDIA GPUs through NVML",
  summary: "publishes metrics of NVIDIA GPUs, read through NVML",
  reads: "NVIDIA's NVML",
  needs: "NVIDIA's driver, with `libnvidia-ml.so.1`",
  signs: ["/dev/nvidiactl", ...NVML_PATHS],
  scrape: { intervalSeconds: 5, timeoutSeconds: 4 },
  flags: {
    "nvml": {
      placeholder: "PATH",
      help: "the NVIDIA library, in place of where distributions put it",
      parse: parsePath,
      grants: (path) => ({ ffi: path === undefined ? NVML_PATHS : [path] }),
    },
    "processes": { help: "also publish the memory and utilization of each process" },
    "pcie-throughput": {
      help: "measure PCIe traffic where the driver does not count it: 40 ms a scrape and GPU",
    },
    "interval": {
      placeholder: "DURATION",
      help: "scrapes within this time share one reading",
      parse: parseDurationMs,
      default: "1s",
    },
  },
} as const satisfies Manifest;

function parsePath(text: string): string {
  if (!text.startsWith("/")) throw new RangeError("must be an absolute path");
  return text;
}
