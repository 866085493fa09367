/**
 * The gpu exporter on a stand-in for NVIDIA's library, whose every answer is known: tests/support/nvml_stub.c.
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";
import { METRICS } from "../../exporters/gpu/metrics.ts";
import type { Subject } from "../soak/subjects.ts";
import type { ExporterProcess } from "../support/exporter_process.ts";
import { Random } from "../support/random.ts";
import { GpuRig } from "../support/rigs/gpu.ts";
import type { RigOptions } from "../support/rigs/rig.ts";
import type { Row } from "./row.ts";
import { createSubject, type Source } from "./subject.ts";

/** A call, what it answers next, and what becomes of its answer. */
interface Call {
  /** As the stub's script has it, and what stands before the values: `field:83 3`. */
  readonly call: string;
  readonly next: (random: Random, before: readonly number[]) => number[];
  /** Metrics with the labels beside `gpu`. */
  readonly shows: readonly {
    readonly metric: MetricDefinition;
    readonly labels?: Readonly<Record<string, string>>;
    readonly value: (answer: readonly number[]) => number;
  }[];
}

type Value = Call["shows"][number]["value"];
const as = (unit: number, at = 0): Value => (answer) => (answer[at] ?? NaN) * unit;
const between = (least: number, most: number): Call["next"] => (random) => [random.int(least, most)];
const rising = (most: number): Call["next"] => (random, [before = 0]) => [before + random.int(0, most)];

function one(
  call: string,
  next: Call["next"],
  metric: MetricDefinition,
  value: Value = as(1),
  labels: Readonly<Record<string, string>> = {},
): Call {
  return { call, next, shows: [{ metric, labels, value }] };
}

const PERCENT = as(0.01);
const MHZ = as(1e6);
const DEVICE = "nvmlDeviceGet";
/** Bytes of the stub's GPU: total, reserved. */
const MEMORY = [48_305_799_168, 674_037_760] as const;
/** The bits of the clocks' event reasons, lowest first, as NVIDIA documents them. */
const REASONS = [
  "gpu_idle",
  "applications_clocks_setting",
  "sw_power_cap",
  "hw_slowdown",
  "sync_boost",
  "sw_thermal_slowdown",
  "hw_thermal_slowdown",
  "hw_power_brake_slowdown",
  "display_clock_setting",
];

const CALLS: readonly Call[] = [
  one(`${DEVICE}PowerUsage`, between(15_000, 350_000), METRICS.power, as(1e-3)),
  one(`${DEVICE}EnforcedPowerLimit`, between(100_000, 350_000), METRICS.powerLimit, as(1e-3)),
  one("field:83 3", rising(70_000), METRICS.energy, as(1e-3)),
  one(`${DEVICE}TemperatureV`, between(30, 90), METRICS.temperature, as(1), { sensor: "gpu" }),
  one("field:82 1", between(30, 90), METRICS.temperature, as(1), { sensor: "memory" }),
  {
    call: `${DEVICE}UtilizationRates`,
    next: (random) => [random.int(0, 100), random.int(0, 100)],
    shows: [
      { metric: METRICS.utilization, value: as(0.01, 0) },
      { metric: METRICS.memoryUtilization, value: as(0.01, 1) },
    ],
  },
  ...([
    ["Encoder", METRICS.encoder],
    ["Decoder", METRICS.decoder],
    ["Jpg", METRICS.jpeg],
    ["Ofa", METRICS.ofa],
  ] as const).map(([engine, metric]) =>
    one(`${DEVICE}${engine}Utilization`, (random) => [random.int(0, 100), 166_000], metric, PERCENT)
  ),
  {
    call: `${DEVICE}MemoryInfo_v2`,
    next: (random) => {
      const [total, reserved] = MEMORY;
      const used = random.int(0, 40_000) * 2 ** 20;
      return [total, reserved, total - reserved - used, used];
    },
    shows: [METRICS.memoryTotal, METRICS.memoryReserved, METRICS.memoryFree, METRICS.memoryUsed]
      .map((metric, at) => ({ metric, value: as(1, at) })),
  },
  ...["graphics", "sm", "memory", "video"].map((clock, index) =>
    one(`${DEVICE}ClockInfo:${index}`, between(210, 2_500), METRICS.clock, MHZ, { clock })
  ),
  one(`${DEVICE}PerformanceState`, between(0, 15), METRICS.performanceState),
  one(`${DEVICE}CurrPcieLinkGeneration`, between(1, 5), METRICS.pcieLinkGeneration),
  one(`${DEVICE}CurrPcieLinkWidth`, between(1, 16), METRICS.pcieLinkWidth),
  ...["h264", "hevc", "av1"].map((codec, index) =>
    one(`${DEVICE}EncoderCapacity:${index}`, between(0, 100), METRICS.encoderCapacity, PERCENT, { codec })
  ),
  {
    call: `${DEVICE}CurrentClocksEventReasons`,
    next: between(0, 511),
    shows: REASONS.map((reason, bit) => ({
      metric: METRICS.eventReason,
      labels: { reason },
      value: ([bits = 0]) => bits >> bit & 1,
    })),
  },
  ...([
    ["corrected", "volatile"],
    ["uncorrected", "volatile"],
    ["corrected", "aggregate"],
    ["uncorrected", "aggregate"],
  ] as const).map(([kind, scope], index) =>
    one(`field:${3 + index} 3`, rising(2), METRICS.eccErrors, as(1), { kind, scope })
  ),
  one("field:94 1", rising(2), METRICS.pcieReplays),
  one("field:142 1", rising(1), METRICS.remappedRows, as(1), { kind: "correctable" }),
  one("field:143 1", rising(1), METRICS.remappedRows, as(1), { kind: "uncorrectable" }),
  one("field:144 1", between(0, 1), METRICS.rowRemappingPending),
  one("field:145 1", between(0, 1), METRICS.rowRemappingFailed),
  {
    call: `${DEVICE}EncoderStats`,
    next: (random) => [random.int(1, 12), random.int(1, 240), random.int(1_000, 40_000)],
    shows: [
      { metric: METRICS.encoderSessions, value: as(1, 0) },
      { metric: METRICS.encoderFps, value: as(1, 1) },
      { metric: METRICS.encoderLatency, value: as(1e-6, 2) },
    ],
  },
  {
    // Two sessions: number, pid, vGPU, codec, width, height, frames per second, microseconds.
    call: `${DEVICE}EncoderSessions`,
    next: (random) =>
      [1, 2].flatMap((
        session,
      ) => [session, 48_211, 0, 0, 1920, 1080, random.int(1, 240), random.int(1_000, 40_000)]),
    shows: [0, 8].flatMap((at) => [
      { metric: METRICS.sessionFps, labels: { session: String(at / 8 + 1) }, value: as(1, at + 6) },
      { metric: METRICS.sessionLatency, labels: { session: String(at / 8 + 1) }, value: as(1e-6, at + 7) },
    ]),
  },
  {
    // Two processes: pid, bytes, no MIG device.
    call: `${DEVICE}ComputeRunningProcesses_v3`,
    next: (random) =>
      [48_211, 48_377].flatMap((pid) => [pid, random.int(1, 4_000) * 2 ** 20, 4_294_967_295, 4_294_967_295]),
    shows: [0, 4].map((at) => ({
      metric: METRICS.processMemory,
      labels: { pid: String(at === 0 ? 48_211 : 48_377), type: "compute" },
      value: as(1, at + 1),
    })),
  },
];

/** Answers that stay as they are. */
const FIXED = [
  "gpu* nvmlDeviceGetGraphicsRunningProcesses_v3 ",
  "gpu* nvmlDeviceGetSupportedClocksEventReasons 511",
  "sys max_wait_ms 100",
];
const GPUS = ["0", "1"];
const XIDS = ["31", "79"];

class GpuSource implements Source {
  readonly #rig: GpuRig;
  readonly #answers = new Map<string, number[]>();
  readonly #events: string[] = [];
  /** By GPU and number. */
  readonly xids = new Map<string, { count: number; firstMs: number; lastMs: number }>();

  constructor(rig: GpuRig) {
    this.#rig = rig;
  }

  static async create(options: RigOptions): Promise<GpuSource> {
    const source = new GpuSource(await GpuRig.create({ ...options, args: ["--processes"] }));
    source.churn(new Random(0));
    return source;
  }

  get exporter(): ExporterProcess {
    return this.#rig.exporter;
  }

  churn(random: Random): void {
    for (const gpu of GPUS) {
      for (const { call, next } of CALLS) {
        const key = `${gpu} ${call}`;
        this.#answers.set(key, next(random, this.#answers.get(key) ?? []));
      }
      if (random.chance(0.02)) this.#fail(gpu, random.pick(["31", ...XIDS]));
    }
    const lines = GPUS.flatMap((gpu) =>
      CALLS.map(({ call }) => `gpu${gpu} ${call} ${this.#answers.get(`${gpu} ${call}`)?.join(" ")}`)
    );
    this.#rig.answer(...FIXED, ...lines, ...this.#events.slice(-20));
  }

  #fail(gpu: string, xid: string): void {
    // Type 8 is an Xid.
    this.#events.push(`event ${this.#events.length + 1} gpu${gpu} 8 ${xid}`);
    const nowMs = Date.now();
    const { count = 0 } = this.xids.get(`${gpu} ${xid}`) ?? {};
    this.xids.set(`${gpu} ${xid}`, { count: count + 1, firstMs: nowMs, lastMs: nowMs });
  }

  /** What a metric must show, by these labels. */
  *values(metric: MetricDefinition, labels: readonly string[]): Iterable<[string[], number]> {
    for (const gpu of GPUS) {
      for (const { call, shows } of CALLS) {
        const answer = this.#answers.get(`${gpu} ${call}`);
        for (const shown of shows) {
          if (!answer || shown.metric !== metric) continue;
          yield [labels.map((label) => ({ gpu, ...shown.labels })[label] ?? ""), shown.value(answer)];
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rig[Symbol.asyncDispose]();
  }
}

const STUB = "the answers of a library that is known";
/** Each metric of a call once, with the labels that tell its series apart. */
const BY_CALL = new Map(
  CALLS.flatMap(({ shows }) => shows).map((
    { metric, labels = {} },
  ) => [metric, ["gpu", ...Object.keys(labels)]]),
);

/** Metrics of the gpu exporter. */
export const GPU_ROWS: readonly Row<GpuSource>[] = [
  ...[...BY_CALL].map(([metric, labels]): Row<GpuSource> => ({
    metric,
    against: STUB,
    labels,
    isOnDemand: true,
    account: (source) => source.values(metric, labels),
  })),
  { metric: METRICS.devices, against: STUB, account: () => [[[], GPUS.length]] },
  { metric: METRICS.expectedDevices, against: STUB, account: () => [[[], GPUS.length]] },
  { metric: METRICS.up, against: STUB, labels: ["gpu"], account: () => GPUS.map((gpu) => [[gpu], 1]) },
  { metric: METRICS.info, against: STUB, labels: ["gpu"], account: () => GPUS.map((gpu) => [[gpu], 1]) },
  { metric: METRICS.processes, against: STUB, labels: ["gpu"], account: () => GPUS.map((gpu) => [[gpu], 2]) },
  {
    metric: METRICS.clockMax,
    against: STUB,
    labels: ["gpu", "clock"],
    account: () =>
      GPUS.flatMap((gpu) =>
        Object.entries({ graphics: 2520, sm: 2520, memory: 9001, video: 1965 })
          .map(([clock, megahertz]) => [[gpu, clock], megahertz * 1e6] as const)
      ),
  },
  {
    metric: METRICS.xidErrors,
    against: `${STUB}, as events`,
    why: "2 s: events are waited for",
    labels: ["gpu", "xid"],
    maxAgeMs: 2_000,
    account: ({ xids }) => [...xids].map(([key, { count }]) => [key.split(" "), count]),
  },
  {
    metric: METRICS.xidLast,
    because:
      "the moment at which the exporter sees the event: tests/gpu/xid_watcher_test.ts, on a clock of the test's",
  },
  { metric: METRICS.fan, because: "cards for servers have no fan: tests/gpu/plain_values_test.ts" },
  { metric: METRICS.pcieThroughput, because: "a rate of two readings: tests/gpu/pcie_rates_test.ts" },
  { metric: METRICS.processUtilization, because: "a sample of the driver's: tests/gpu/processes_test.ts" },
  ...[
    METRICS.migInfo,
    METRICS.migEngines,
    METRICS.migMemoryFree,
    METRICS.migMemoryReserved,
    METRICS.migMemoryTotal,
    METRICS.migMemoryUsed,
  ].map((metric) => ({
    metric,
    because: "a GPU that is cut into parts has no other values: tests/gpu/mig_test.ts",
  })),
];

/** Starts it. */
export function gpuSubject(): Promise<Subject> {
  return createSubject({
    name: "gpu",
    sources: ["nvml", "http"],
    rows: GPU_ROWS,
    maxAgeMs: 50,
    create: GpuSource.create,
  });
}
