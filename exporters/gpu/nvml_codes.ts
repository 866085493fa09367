/**
 * NVML's return codes and what they mean here. The library's texts are pointers, which scoped `--allow-ffi`
 * does not open, so the names are repeated.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html
 * @module
 */

/** Names of `nvmlReturn_t`, without `NVML_` and `NVML_ERROR_`. */
const NAMES: Readonly<Record<number, string>> = {
  0: "SUCCESS",
  1: "UNINITIALIZED",
  2: "INVALID_ARGUMENT",
  3: "NOT_SUPPORTED",
  4: "NO_PERMISSION",
  5: "ALREADY_INITIALIZED",
  6: "NOT_FOUND",
  7: "INSUFFICIENT_SIZE",
  8: "INSUFFICIENT_POWER",
  9: "DRIVER_NOT_LOADED",
  10: "TIMEOUT",
  11: "IRQ_ISSUE",
  12: "LIBRARY_NOT_FOUND",
  13: "FUNCTION_NOT_FOUND",
  14: "CORRUPTED_INFOROM",
  15: "GPU_IS_LOST",
  16: "RESET_REQUIRED",
  17: "OPERATING_SYSTEM",
  18: "LIB_RM_VERSION_MISMATCH",
  19: "IN_USE",
  20: "MEMORY",
  21: "NO_DATA",
  22: "VGPU_ECC_NOT_SUPPORTED",
  23: "INSUFFICIENT_RESOURCES",
  24: "FREQ_NOT_SUPPORTED",
  25: "ARGUMENT_VERSION_MISMATCH",
  26: "DEPRECATED",
  27: "NOT_READY",
  28: "GPU_NOT_FOUND",
  29: "INVALID_STATE",
  30: "RESET_TYPE_NOT_SUPPORTED",
  999: "UNKNOWN",
};

/** The codes that the exporter branches on. */
export const CODE = {
  success: 0,
  uninitialized: 1,
  invalidArgument: 2,
  notSupported: 3,
  noPermission: 4,
  notFound: 6,
  insufficientSize: 7,
  insufficientPower: 8,
  driverNotLoaded: 9,
  timeout: 10,
  noLibrary: 12,
  functionNotFound: 13,
  gpuIsLost: 15,
  resetRequired: 16,
  operatingSystem: 17,
  libRmVersionMismatch: 18,
  noData: 21,
  argumentVersionMismatch: 25,
  deprecated: 26,
  gpuNotFound: 28,
  unknown: 999,
} as const;

/** Not available on this GPU, with this driver or for this user: the series is absent, nothing is wrong. */
const ABSENT: ReadonlySet<number> = new Set([
  CODE.notSupported,
  CODE.noPermission,
  CODE.functionNotFound,
  CODE.noData,
  CODE.argumentVersionMismatch,
  CODE.deprecated,
]);

/** Ends the session for this GPU: it is lost, or the driver is gone or was replaced. */
const FATAL: ReadonlySet<number> = new Set([
  CODE.uninitialized,
  CODE.driverNotLoaded,
  CODE.noLibrary,
  CODE.gpuIsLost,
  CODE.resetRequired,
  CODE.libRmVersionMismatch,
  CODE.gpuNotFound,
]);

/** Whether a code means that the value is not available here. */
export function isAbsent(code: number): boolean {
  return ABSENT.has(code);
}

/** Whether a code ends the reading of a GPU. */
export function isFatal(code: number): boolean {
  return FATAL.has(code);
}

/** A new session does not help: the operator has to act first. */
const NEEDS_OPERATOR: ReadonlySet<number> = new Set([
  CODE.noPermission,
  CODE.insufficientPower,
  CODE.operatingSystem,
]);

/** Whether a new session with the driver may bring the GPU back. */
export function mayRecover(code: number): boolean {
  return !NEEDS_OPERATOR.has(code);
}

/** Name and number of a code: `GPU_IS_LOST (15)`. */
export function describeCode(code: number): string {
  return `${NAMES[code] ?? "UNKNOWN"} (${code})`;
}

/** A failed call that the caller has to handle. */
export class NvmlError extends Error {
  override readonly name = "NvmlError";

  /** `code` is the `nvmlReturn_t` that `symbol` returned. */
  constructor(readonly code: number, readonly symbol: string) {
    super(`${symbol} returned ${describeCode(code)}`);
  }
}

/** A short reason for the `reason` label, and what an operator can do about it. */
export interface Advice {
  readonly reason: string;
  readonly advice: string;
}

const ADVICE: Readonly<Record<number, Advice>> = {
  [CODE.uninitialized]: { reason: "uninitialized", advice: "the exporter opens a new session by itself" },
  [CODE.noPermission]: {
    reason: "permission",
    advice:
      "let this user open /dev/nvidiactl and /dev/nvidia0 to N: by their mode or group, under systemd with " +
      '"DeviceAllow=char-nvidia* rw", in a container with NVIDIA\'s container toolkit; MIG devices need ' +
      "/dev/nvidia-caps too",
  },
  [CODE.insufficientPower]: { reason: "power_cable", advice: "connect the GPU's power cables" },
  [CODE.driverNotLoaded]: {
    reason: "driver_not_loaded",
    advice: 'load the kernel module ("modprobe nvidia"), or look for its failure in "dmesg"',
  },
  [CODE.gpuIsLost]: {
    reason: "lost",
    advice: 'the GPU fell off the bus: see "dmesg" for the Xid, then reset or power-cycle the machine',
  },
  [CODE.resetRequired]: { reason: "reset_required", advice: 'run "nvidia-smi --gpu-reset", or reboot' },
  [CODE.operatingSystem]: {
    reason: "permission",
    advice: "the system or the container's device rules deny /dev/nvidia*: allow these devices",
  },
  [CODE.libRmVersionMismatch]: {
    reason: "driver_mismatch",
    advice: "the driver was upgraded under the running system: reload the kernel module or reboot, " +
      "then restart this exporter",
  },
  [CODE.gpuNotFound]: { reason: "gone", advice: "no GPU is left: check whether one was removed" },
};

/** Reason and advice for a code. */
export function adviceFor(code: number): Advice {
  return ADVICE[code] ??
    { reason: "call_failed", advice: 'see "dmesg" and "nvidia-smi" for the driver\'s state' };
}
