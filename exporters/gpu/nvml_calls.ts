/**
 * Makes NVML calls and sorts their return codes: success, not available here, failed, or the GPU is gone.
 *
 * @module
 */
import type { CallLane } from "./call_lane.ts";
import { CODE, isAbsent, isFatal, NvmlError } from "./nvml_codes.ts";
import type { NvmlSymbols } from "./nvml_symbols.ts";

/** Name of a function in the symbol table. */
export type NvmlFunction = keyof NvmlSymbols;

/** Arguments of a function. */
export type NvmlArguments<N extends NvmlFunction> = Parameters<NonNullable<NvmlSymbols[N]>>;

/** Open to every user, so a refusal is a failure. Other calls may be reserved for administrators. */
const OPEN_TO_ALL: ReadonlySet<NvmlFunction> = new Set([
  "nvmlDeviceGetUUID",
  "nvmlDeviceGetName",
  "nvmlDeviceGetPowerUsage",
  "nvmlDeviceGetTemperatureV",
  "nvmlDeviceGetTemperature",
  "nvmlDeviceGetUtilizationRates",
  "nvmlDeviceGetMemoryInfo_v2",
  "nvmlDeviceGetMemoryInfo",
]);

/** NVML calls that share a lane. */
export class NvmlCalls {
  readonly symbols: NvmlSymbols;
  readonly lane: CallLane;
  /** Codes of failed calls, by function, since last cleared. */
  readonly failures: Map<string, number>;

  constructor(symbols: NvmlSymbols, lane: CallLane, failures: Map<string, number> = new Map()) {
    this.symbols = symbols;
    this.lane = lane;
    this.failures = failures;
  }

  /** Whether the driver has this function. */
  has(name: NvmlFunction): boolean {
    return this.symbols[name] !== null;
  }

  /** The return code of a call; FUNCTION_NOT_FOUND where the driver has no such function. */
  code<N extends NvmlFunction>(name: N, ...args: NvmlArguments<N>): Promise<number> {
    const call = this.symbols[name] as ((...args: NvmlArguments<N>) => Promise<number>) | null;
    return call === null
      ? Promise.resolve(CODE.FUNCTION_NOT_FOUND)
      : this.lane.call(name, () => call(...args));
  }

  /**
   * Whether a call succeeded. Failures other than "not available here" are kept in {@linkcode failures}.
   *
   * @throws {NvmlError} when the GPU or the driver is gone
   */
  async ok<N extends NvmlFunction>(name: N, ...args: NvmlArguments<N>): Promise<boolean> {
    return this.judge(name, await this.code(name, ...args));
  }

  /** Sorts a code as {@linkcode ok} does. */
  judge(name: NvmlFunction, code: number): boolean {
    if (code === CODE.SUCCESS) return true;
    if (isFatal(code)) throw new NvmlError(code, name);
    const refused = code === CODE.NO_PERMISSION && OPEN_TO_ALL.has(name);
    if (refused || !isAbsent(code)) this.failures.set(name, code);
    return false;
  }

  /** Makes a call that has to succeed. @throws {NvmlError} otherwise */
  async must<N extends NvmlFunction>(name: N, ...args: NvmlArguments<N>): Promise<void> {
    const code = await this.code(name, ...args);
    if (code !== CODE.SUCCESS) throw new NvmlError(code, name);
  }
}
