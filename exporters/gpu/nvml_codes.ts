/**
 * NVML's return codes and what they mean here. The library's texts are pointers, which scoped `--allow-ffi`
 * does not open, so the names are repeated.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html
 * @module
 */

/** `nvmlReturn_t` by name, without `NVML_` and `NVML_ERROR_`. */
export const CODE = {
  SUCCESS: 0,
  UNINITIALIZED: 1,
  INVALID_ARGUMENT: 2,
  NOT_SUPPORTED: 3,
  NO_PERMISSION: 4,
  ALREADY_INITIALIZED: 5,
  NOT_FOUND: 6,
  INSUFFICIENT_SIZE: 7,
  INSUFFICIENT_POWER: 8,
  DRIVER_NOT_LOADED: 9,
  TIMEOUT: 10,
  IRQ_ISSUE: 11,
  LIBRARY_NOT_FOUND: 12,
  FUNCTION_NOT_FOUND: 13,
  CORRUPTED_INFOROM: 14,
  GPU_IS_LOST: 15,
  RESET_REQUIRED: 16,
  OPERATING_SYSTEM: 17,
  LIB_RM_VERSION_MISMATCH: 18,
  IN_USE: 19,
  MEMORY: 20,
  NO_DATA: 21,
  VGPU_ECC_NOT_SUPPORTED: 22,
  INSUFFICIENT_RESOURCES: 23,
  FREQ_NOT_SUPPORTED: 24,
  ARGUMENT_VERSION_MISMATCH: 25,
  DEPRECATED: 26,
  NOT_READY: 27,
  GPU_NOT_FOUND: 28,
  INVALID_STATE: 29,
  RESET_TYPE_NOT_SUPPORTED: 30,
  UNKNOWN: 999,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(CODE).map(([name, code]) => [code, name]));

/** Not available on this GPU, with this driver or for this user: the series is absent, nothing is wrong. */
const ABSENT: ReadonlySet<number> = new Set([
  CODE.NOT_SUPPORTED,
  CODE.NO_PERMISSION,
  CODE.FUNCTION_NOT_FOUND,
  CODE.NO_DATA,
  CODE.ARGUMENT_VERSION_MISMATCH,
  CODE.DEPRECATED,
]);

/** Ends the session for this GPU: it is lost, or the driver is gone or was replaced. */
const FATAL: ReadonlySet<number> = new Set([
  CODE.UNINITIALIZED,
  CODE.DRIVER_NOT_LOADED,
  CODE.LIBRARY_NOT_FOUND,
  CODE.GPU_IS_LOST,
  CODE.RESET_REQUIRED,
  CODE.LIB_RM_VERSION_MISMATCH,
  CODE.GPU_NOT_FOUND,
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
  CODE.NO_PERMISSION,
  CODE.INSUFFICIENT_POWER,
  CODE.OPERATING_SYSTEM,
]);

/** Whether a new session with the driver may bring the GPU back. */
export function mayRecover(code: number): boolean {
  return !NEEDS_OPERATOR.has(code);
}

/** Name and number of a code: `GPU_IS_LOST (15)`. */
export function describeCode(code: number): string {
  return `${NAMES.get(code) ?? "UNKNOWN"} (${code})`;
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
  [CODE.UNINITIALIZED]: { reason: "uninitialized", advice: "the exporter opens a new session by itself" },
  [CODE.NO_PERMISSION]: {
    reason: "permission",
    advice:
      "let this user open /dev/nvidiactl and /dev/nvidia0 to N: by their mode or group, under systemd with " +
      '"DeviceAllow=char-nvidia* rw", in a container with NVIDIA\'s container toolkit; MIG devices need ' +
      "/dev/nvidia-caps too",
  },
  [CODE.INSUFFICIENT_POWER]: { reason: "power_cable", advice: "connect the GPU's power cables" },
  [CODE.DRIVER_NOT_LOADED]: {
    reason: "driver_not_loaded",
    advice: 'load the kernel module ("modprobe nvidia"), or look for its failure in "dmesg"',
  },
  [CODE.GPU_IS_LOST]: {
    reason: "lost",
    advice: 'the GPU fell off the bus: see "dmesg" for the Xid, then reset or power-cycle the machine',
  },
  [CODE.RESET_REQUIRED]: { reason: "reset_required", advice: 'run "nvidia-smi --gpu-reset", or reboot' },
  [CODE.OPERATING_SYSTEM]: {
    reason: "permission",
    advice: "the system or the container's device rules deny /dev/nvidia*: allow these devices",
  },
  [CODE.LIB_RM_VERSION_MISMATCH]: {
    reason: "driver_mismatch",
    advice: "the driver was upgraded under the running system: reload the kernel module or reboot, " +
      "then restart this exporter",
  },
  [CODE.GPU_NOT_FOUND]: { reason: "gone", advice: "no GPU is left: check whether one was removed" },
};

/** Reason and advice for a code. */
export function adviceFor(code: number): Advice {
  return ADVICE[code] ??
    { reason: "call_failed", advice: 'see "dmesg" and "nvidia-smi" for the driver\'s state' };
}
