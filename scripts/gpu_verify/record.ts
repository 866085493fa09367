/**
 * Records what NVML returns, as a script for the stand-in library of the tests, with identifiers masked.
 *
 * @module
 */
import { FIELDS } from "../../exporters/gpu/nvml_fields.ts";
import { NVML_SYMBOLS, type NvmlSymbols } from "../../exporters/gpu/nvml_symbols.ts";
import { type StructLayout, STRUCTS } from "../../exporters/gpu/nvml_structs.ts";

type Call = (...args: unknown[]) => Promise<number>;
type Name = keyof NvmlSymbols;

/** Which functions write text, and where in their buffer it begins. */
const TEXT: Partial<Record<Name, number>> = {
  nvmlSystemGetDriverVersion: 0,
  nvmlSystemGetNVMLVersion: 0,
  nvmlDeviceGetName: 0,
  nvmlDeviceGetUUID: 0,
  nvmlDeviceGetPciInfo_v3: STRUCTS.nvmlPciInfo_t.members.busId[0],
};
/** Which functions fill a struct, and the members that the script has, in its order. */
const FILLED: Partial<Record<Name, readonly [StructLayout, readonly string[]]>> = {
  nvmlDeviceGetTemperatureV: [STRUCTS.nvmlTemperature_t, ["temperature"]],
  nvmlDeviceGetUtilizationRates: [STRUCTS.nvmlUtilization_t, ["gpu", "memory"]],
  nvmlDeviceGetMemoryInfo_v2: [STRUCTS.nvmlMemory_v2_t, ["total", "reserved", "free", "used"]],
  nvmlDeviceGetMemoryInfo: [STRUCTS.nvmlMemory_t, ["total", "free", "used"]],
  nvmlDeviceGetAttributes_v2: [
    STRUCTS.nvmlDeviceAttributes_t,
    Object.keys(STRUCTS.nvmlDeviceAttributes_t.members),
  ],
};
/** Which functions fill a list: its struct, members, and the place of the count and the list. */
const LISTS: Partial<Record<Name, readonly [StructLayout, readonly string[]]>> = {
  nvmlDeviceGetEncoderSessions: [
    STRUCTS.nvmlEncoderSessionInfo_t,
    Object.keys(STRUCTS.nvmlEncoderSessionInfo_t.members),
  ],
};
const U64 = new Set<Name>([
  "nvmlDeviceGetCurrentClocksEventReasons",
  "nvmlDeviceGetCurrentClocksThrottleReasons",
  "nvmlDeviceGetSupportedClocksEventReasons",
  "nvmlDeviceGetSupportedClocksThrottleReasons",
]);
/** Not recorded: irrelevant to the card, or identifies processes of this machine. */
const SKIPPED = /^nvmlEvent|^nvmlInit|^nvmlShutdown|RegisterEvents|RunningProcesses|ProcessUtilization/;

/** Records the last result of each call. */
export class Recorder {
  readonly #lines = new Map<string, string>();
  readonly #scopes = new Map<bigint, string>();
  readonly #uuids = new Map<string, string>();
  readonly #pids = new Map<number, number>();

  /** Functions that do the same and are recorded. */
  wrap(symbols: NvmlSymbols): NvmlSymbols {
    return Object.fromEntries(
      Object.entries(symbols).map(([name, call]) => [
        name,
        call && (async (...args: unknown[]) => {
          const code = await (call as Call)(...args);
          this.#record(name as Name, args, code);
          return code;
        }),
      ]),
    ) as unknown as NvmlSymbols;
  }

  /** The script. */
  toString(): string {
    return `${[...this.#lines].map(([key, answer]) => `${key} ${answer}`.trimEnd()).sort().join("\n")}\n`;
  }

  /** nvidia-smi's document or a report, with the same identifiers masked, without serial numbers and processes. */
  mask(text: string): string {
    let masked = text
      .replace(/<(serial|board_id|gpu_part_number|module_id)>[^<]*/g, "<$1>N/A")
      .replace(/pid="\d+"/g, 'pid="0"')
      .replace(/(<processes>)[^]*?(<\/processes>)/g, "$1$2");
    for (const [uuid, mask] of this.#uuids) masked = masked.replaceAll(uuid, mask);
    return masked;
  }

  #record(name: Name, args: unknown[], code: number): void {
    if (SKIPPED.test(name)) return;
    const ofDevice = NVML_SYMBOLS[name].parameters.at(0) === "usize";
    const scope = ofDevice ? this.#scopes.get(BigInt(args[0] as bigint)) : "sys";
    const buffers = args.filter((arg) => arg instanceof Uint8Array).map((bytes) =>
      new DataView(bytes.buffer)
    );
    const numbers = args.slice(ofDevice ? 1 : 0).filter((arg) => typeof arg === "number");
    if (name === "nvmlDeviceGetHandleByIndex_v2") {
      this.#scopes.set(buffers[0]?.getBigUint64(0, true) ?? 0n, `gpu${numbers[0]}`);
      return;
    }
    if (scope === undefined) return;
    if (name === "nvmlDeviceGetMigDeviceHandleByIndex" && code === 0) {
      this.#scopes.set(buffers[0]?.getBigUint64(0, true) ?? 0n, `${scope}/mig${numbers[0]}`);
    }
    if (name === "nvmlDeviceGetFieldValues") return this.#recordFields(scope, buffers[0], code);
    const hasArgument = typeof args[1] === "number" && ofDevice;
    const key = `${scope} ${name}${hasArgument ? `:${numbers[0]}` : ""}`;
    this.#lines.set(key, code === 0 ? this.#answer(name, buffers, scope) : `!${code}`);
  }

  #answer(name: Name, buffers: readonly DataView[], scope: string): string {
    const [first] = buffers;
    if (!first) return "";
    const textAt = TEXT[name];
    if (textAt !== undefined) {
      const text = textOf(first, textAt);
      return name === "nvmlDeviceGetUUID" ? this.#maskUuid(text, scope) : text;
    }
    const filled = FILLED[name];
    if (filled) return members(first, 0, filled).join(" ");
    const list = LISTS[name];
    if (list) {
      const [, records] = buffers;
      return Array.from(
        { length: first.getUint32(0, true) },
        (_, index) =>
          records
            ? members(records, index * list[0].size, list).map((value, i) =>
              i === 1 ? this.#pid(value) : value
            )
            : [],
      ).flat().join(" ");
    }
    if (U64.has(name)) return String(first.getBigUint64(0, true));
    return buffers.map((view) => view.getUint32(0, true)).join(" ");
  }

  #recordFields(scope: string, list: DataView | undefined, code: number): void {
    if (!list || code !== 0) return;
    const { size, members: m } = STRUCTS.nvmlFieldValue_t;
    for (let base = 0; base < FIELDS.length * size; base += size) {
      const answered = list.getUint32(base + m.nvmlReturn[0], true);
      const value = list.getBigUint64(base + m.value[0], true);
      const type = list.getUint32(base + m.valueType[0], true);
      // Of a 32-bit value the upper half of the union is not defined.
      const shown = type === 1 ? BigInt.asUintN(32, value) : value;
      const key = `${scope} field:${list.getUint32(base + m.fieldId[0], true)}`;
      this.#lines.set(key, answered === 0 ? `${type} ${shown}` : `!${answered}`);
    }
  }

  #maskUuid(uuid: string, scope: string): string {
    const masked = this.#uuids.get(uuid) ??
      `${uuid.slice(0, 4)}00000000-0000-0000-0000-${scope.replace(/\D/g, "").padStart(12, "0")}`;
    this.#uuids.set(uuid, masked);
    return masked;
  }

  #pid(pid: number | bigint): number {
    const masked = this.#pids.get(Number(pid)) ?? 1001 + this.#pids.size;
    this.#pids.set(Number(pid), masked);
    return masked;
  }
}

function members(
  view: DataView,
  base: number,
  [layout, names]: readonly [StructLayout, readonly string[]],
): (number | bigint)[] {
  return names.map((name) => {
    const [offset, size] = layout.members[name] ?? [0, 4];
    return size === 8 ? view.getBigUint64(base + offset, true) : view.getInt32(base + offset, true);
  });
}

function textOf(view: DataView, offset: number): string {
  const bytes = new Uint8Array(view.buffer).subarray(offset);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
