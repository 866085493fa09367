/**
 * Compares the exporter's samples with what nvidia-smi printed just before and just after.
 *
 * @module
 */
import type { Snapshot } from "../../lib/exposition.ts";
import { type Element, elementsAt, parseValue, textAt } from "./smi.ts";

/** A value of nvidia-smi and the series that publishes it. */
interface Comparison {
  readonly metric: string;
  /** Labels beside `gpu` and `uuid`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Where nvidia-smi has it, in newer drivers first. Of several in one list the sum counts. */
  readonly paths: readonly (string | readonly string[])[];
  /** How far it may lie from both readings, in base units: rounding, and change from one moment to the next. */
  readonly tolerance?: number;
  /** Factor from nvidia-smi's bare number to base units. */
  readonly factor?: number;
}

const MIB = 2 ** 20;
const MEMORY_TOLERANCE = 64 * MIB;
const UTILIZATION_TOLERANCE = 0.25;
const CLOCK_TOLERANCE = 60e6;

const REASONS: Readonly<Record<string, string>> = {
  gpu_idle: "gpu_idle",
  applications_clocks_setting: "applications_clocks_setting",
  sw_power_cap: "sw_power_cap",
  hw_slowdown: "hw_slowdown",
  sync_boost: "sync_boost",
  sw_thermal_slowdown: "sw_thermal_slowdown",
  hw_thermal_slowdown: "hw_thermal_slowdown",
  hw_power_brake_slowdown: "hw_power_brake_slowdown",
  display_clock_setting: "display_clocks_setting",
};

function utilization(metric: string, name: string): Comparison {
  return { metric, paths: [`utilization/${name}`], tolerance: UTILIZATION_TOLERANCE };
}

function ecc(kind: string, scope: string, bits: string): Comparison {
  const counters = kind === "corrected"
    ? ["sram_correctable", "dram_correctable"]
    : ["sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded", "dram_uncorrectable"];
  return {
    metric: "gpu_ecc_errors_total",
    labels: { kind, scope },
    paths: [counters.map((name) => `ecc_errors/${scope}/${name}`), `ecc_errors/${scope}/${bits}/total`],
  };
}

/** Every value that both report. */
export const COMPARISONS: readonly Comparison[] = [
  {
    metric: "gpu_power_watts",
    paths: [
      "gpu_power_readings/average_power_draw",
      "gpu_power_readings/power_draw",
      "gpu_power_readings/instant_power_draw",
      "power_readings/power_draw",
    ],
    tolerance: 15,
  },
  {
    metric: "gpu_power_limit_watts",
    paths: ["gpu_power_readings/current_power_limit", "power_readings/enforced_power_limit"],
    tolerance: 0.01,
  },
  {
    metric: "gpu_temperature_celsius",
    labels: { sensor: "gpu" },
    paths: ["temperature/gpu_temp"],
    tolerance: 3,
  },
  {
    metric: "gpu_temperature_celsius",
    labels: { sensor: "memory" },
    paths: ["temperature/memory_temp"],
    tolerance: 3,
  },
  { metric: "gpu_fan_speed_ratio", labels: { fan: "0" }, paths: ["fan_speed"], tolerance: 0.05 },
  utilization("gpu_utilization_ratio", "gpu_util"),
  utilization("gpu_memory_utilization_ratio", "memory_util"),
  utilization("gpu_encoder_utilization_ratio", "encoder_util"),
  utilization("gpu_decoder_utilization_ratio", "decoder_util"),
  utilization("gpu_jpeg_utilization_ratio", "jpeg_util"),
  utilization("gpu_ofa_utilization_ratio", "ofa_util"),
  { metric: "gpu_memory_total_bytes", paths: ["fb_memory_usage/total"], tolerance: MIB },
  { metric: "gpu_memory_reserved_bytes", paths: ["fb_memory_usage/reserved"], tolerance: MIB },
  { metric: "gpu_memory_used_bytes", paths: ["fb_memory_usage/used"], tolerance: MEMORY_TOLERANCE },
  { metric: "gpu_memory_free_bytes", paths: ["fb_memory_usage/free"], tolerance: MEMORY_TOLERANCE },
  ...(["graphics", "sm", "mem", "video"] as const).flatMap((name) => {
    const labels = { clock: name === "mem" ? "memory" : name };
    return [
      { metric: "gpu_clock_hertz", labels, paths: [`clocks/${name}_clock`], tolerance: CLOCK_TOLERANCE },
      { metric: "gpu_clock_max_hertz", labels, paths: [`max_clocks/${name}_clock`] },
    ];
  }),
  { metric: "gpu_performance_state", paths: ["performance_state"] },
  ...Object.entries(REASONS).map(([reason, name]) => ({
    metric: "gpu_clocks_event_reason",
    labels: { reason },
    paths: [
      `clocks_event_reasons/clocks_event_reason_${name}`,
      `clocks_throttle_reasons/clocks_throttle_reason_${name}`,
    ],
  })),
  { metric: "gpu_pcie_link_generation", paths: ["pci/pci_gpu_link_info/pcie_gen/current_link_gen"] },
  { metric: "gpu_pcie_link_width", paths: ["pci/pci_gpu_link_info/link_widths/current_link_width"] },
  { metric: "gpu_pcie_replays_total", paths: ["pci/replay_counter"] },
  ecc("corrected", "volatile", "single_bit"),
  ecc("corrected", "aggregate", "single_bit"),
  ecc("uncorrected", "volatile", "double_bit"),
  ecc("uncorrected", "aggregate", "double_bit"),
  {
    metric: "gpu_remapped_rows",
    labels: { kind: "correctable" },
    paths: ["remapped_rows/remapped_row_corr"],
  },
  {
    metric: "gpu_remapped_rows",
    labels: { kind: "uncorrectable" },
    paths: ["remapped_rows/remapped_row_unc"],
  },
  { metric: "gpu_row_remapping_pending", paths: ["remapped_rows/remapped_row_pending"] },
  { metric: "gpu_row_remapping_failed", paths: ["remapped_rows/remapped_row_failure"] },
  { metric: "gpu_encoder_sessions", paths: ["encoder_stats/session_count"] },
  { metric: "gpu_encoder_average_fps", paths: ["encoder_stats/average_fps"], tolerance: 60 },
  {
    metric: "gpu_encoder_average_latency_seconds",
    paths: ["encoder_stats/average_latency"],
    factor: 1e-6,
    tolerance: 0.1,
  },
];

/** What came of one value. */
export interface Finding {
  readonly gpu: string;
  /** Name and labels of the series. */
  readonly series: string;
  readonly ours: number | undefined;
  /** What nvidia-smi printed before and after. */
  readonly theirs: readonly (number | undefined)[];
  readonly verdict: "agrees" | "differs" | "missing here" | "only here" | "not compared";
}

/** Compares one collection with nvidia-smi's document of before and of after. */
export function compare(snapshot: Snapshot, documents: readonly Element[]): Finding[] {
  const samples = new Map<string, { gpu: string; value: number; series: string }>();
  for (const [{ name }, values] of snapshot.families) {
    for (const { labels: { gpu = "", uuid = "", ...labels }, value } of values) {
      samples.set(keyOf(uuid, name, labels), { gpu, value, series: seriesOf(name, labels) });
    }
  }
  const findings: Finding[] = [];
  const done = new Set<string>();
  const ids = elementsAt(documents[0] ?? { name: "", text: "", children: [] }, "nvidia_smi_log/gpu");
  for (const [index, { uuid, wanted }] of ids.map((gpu) => wantedOf(gpu)).entries()) {
    const gpus = documents.map((document) =>
      elementsAt(document, "nvidia_smi_log/gpu").find((gpu) => textAt(gpu, "uuid") === uuid)
    );
    for (const comparison of wanted) {
      const key = keyOf(uuid, comparison.metric, comparison.labels ?? {});
      const ours = samples.get(key)?.value;
      const theirs = gpus.map((gpu) => gpu && valueOf(gpu, comparison));
      done.add(key);
      const series = seriesOf(comparison.metric, comparison.labels ?? {});
      const verdict = judge(ours, theirs, comparison);
      if (verdict) findings.push({ gpu: String(index), series, ours, theirs, verdict });
    }
  }
  for (const [key, { gpu, value, series }] of samples) {
    if (!done.has(key)) findings.push({ gpu, series, ours: value, theirs: [], verdict: "not compared" });
  }
  return findings;
}

/** The fixed comparisons, and one for each process. */
function wantedOf(gpu: Element): { uuid: string; wanted: Comparison[] } {
  const processes = elementsAt(gpu, "processes/process_info").map((process): Comparison => {
    const type = { C: "compute", G: "graphics", "C+G": "compute_graphics" }[textAt(process, "type") ?? ""] ??
      "";
    const pid = textAt(process, "pid") ?? "";
    return {
      metric: "gpu_process_memory_bytes",
      labels: { pid, type },
      paths: [`processes/process_info[${pid}]`],
      tolerance: MEMORY_TOLERANCE,
    };
  });
  return { uuid: textAt(gpu, "uuid") ?? "", wanted: [...COMPARISONS, ...processes] };
}

function valueOf(gpu: Element, { metric, labels, paths, factor = 1 }: Comparison): number | undefined {
  if (metric === "gpu_process_memory_bytes") {
    const process = elementsAt(gpu, "processes/process_info").find((each) =>
      textAt(each, "pid") === labels?.pid
    );
    return process && parseValue(textAt(process, "used_memory"));
  }
  for (const path of paths) {
    const parts = [path].flat().map((each) => parseValue(textAt(gpu, each))).filter((part) =>
      part !== undefined
    );
    if (parts.length > 0) return parts.reduce((sum, part) => sum + part, 0) * factor;
  }
  return undefined;
}

function judge(
  ours: number | undefined,
  theirs: readonly (number | undefined)[],
  { metric, tolerance = 0 }: Comparison,
): Finding["verdict"] | undefined {
  const known = theirs.filter((value) => value !== undefined);
  if (ours === undefined && known.length === 0) return undefined;
  if (known.length === 0) return "only here";
  if (ours === undefined) {
    // The averages of no session, which nvidia-smi writes as 0.
    if (metric.startsWith("gpu_encoder_average_") && known.every((value) => value === 0)) return undefined;
    // It came or went in between.
    return known.length < theirs.length ? undefined : "missing here";
  }
  // Floating point: 0.29 is not 29 times 0.01.
  const slack = tolerance + 1e-9 * Math.abs(ours);
  return ours >= Math.min(...known) - slack && ours <= Math.max(...known) + slack ? "agrees" : "differs";
}

function keyOf(uuid: string, name: string, labels: Readonly<Record<string, string>>): string {
  return `${uuid} ${seriesOf(name, labels)}`;
}

function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}
