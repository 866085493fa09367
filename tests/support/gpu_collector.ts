/**
 * The GPU collector in this process, on the stand-in library or on fake functions.
 *
 * @module
 */
import { NvmlCollector } from "../../exporters/gpu/collector.ts";
import { openNvmlLibrary } from "../../exporters/gpu/nvml_library.ts";
import type { NvmlSymbols } from "../../exporters/gpu/nvml_symbols.ts";
import { SessionKeeper } from "../../exporters/gpu/session_keeper.ts";
import { XidLog } from "../../exporters/gpu/xid_watcher.ts";
import type { Collection } from "../../lib/collector.ts";
import { Exposition } from "../../lib/exposition.ts";
import { createLogger } from "../../lib/log.ts";
import type { NvmlStub } from "./nvml_stub.ts";

/** What a test collects with. */
export interface TestCollector extends AsyncDisposable {
  readonly collector: NvmlCollector;
  /** Collects and renders the page. */
  collect(): Promise<{ collection: Collection; page: string }>;
  /** Time that waits until the driver is tried again pass by. */
  advance(ms: number): void;
}

/** Options of {@linkcode openCollector}. */
export interface OpenCollectorOptions {
  processes?: boolean;
  measurePcie?: boolean;
  deadlineMs?: number;
  intervalMs?: number;
  openDeadlineMs?: number;
  /** @default {() => performance.now()} */
  monotonicMs?: () => number;
}

/** Opens a collector. */
export function openCollector(
  source: NvmlStub | NvmlSymbols,
  { intervalMs = 0, monotonicMs: clock = () => performance.now(), ...options }: OpenCollectorOptions = {},
): TestCollector {
  const xids = new XidLog();
  let advancedMs = 0;
  const monotonicMs = (): number => clock() + advancedMs;
  const keeper = new SessionKeeper({
    openLibrary: () =>
      "nvmlInit_v2" in source ? { path: "fake", symbols: source } : openNvmlLibrary({ paths: [source.path] }),
    xids,
    log: createLogger({ write: () => {} }),
    processes: false,
    measurePcie: false,
    ...options,
    monotonicMs,
  });
  const collector = new NvmlCollector({ keeper, xids, intervalMs, monotonicMs });
  return {
    collector,
    async collect(): Promise<{ collection: Collection; page: string }> {
      const collection = await collector.collect();
      return { collection, page: await new Exposition().render([collection.snapshot], "text") };
    },
    advance: (ms) => advancedMs += ms,
    [Symbol.asyncDispose]: () => keeper.stop(),
  };
}

/** What the stand-in library counted. */
export interface StubStats {
  readonly calls: number;
  readonly inits: number;
  /** The most calls that were inside one GPU at once. */
  readonly mostInsideGpu: number;
  readonly inside: number;
}

/** Asks the stand-in library what it counted; it has to be open in this process. */
export function stubStats(stub: NvmlStub): StubStats {
  const library = Deno.dlopen(stub.path, { nvmlStubStats: { parameters: ["buffer"], result: "i32" } });
  const out = new BigUint64Array(4);
  library.symbols.nvmlStubStats(out);
  library.close();
  const [calls = 0, inits = 0, mostInsideGpu = 0, inside = 0] = Array.from(out, Number);
  return { calls, inits, mostInsideGpu, inside };
}
