/**
 * The metrics of the GPU exporter: names, labels, what each value is and its possible range.
 *
 * Drivers have reported 4294967295 % and 2619 %: https://github.com/NVIDIA/dcgm-exporter/issues/418
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";

/** Lowest and highest value, in the metric's unit. */
export type Range = readonly [least: number, most: number];

/** A metric and its possible values; others are omitted. */
export interface GpuMetric extends MetricDefinition {
  /** Wide, for hardware to come. */
  readonly range: Range;
}

const GPU = ["gpu", "uuid"] as const;

/** The largest 32-bit number means "not available". */
const COUNT: Range = [0, 0xffff_fffe];
const SHARE: Range = [0, 1];
const FLAG: Range = [0, 1];
/** NVML documents that it may exceed 1. */
const FAN: Range = [0, 5];
const WATTS: Range = [0, 10_000];
/** 30 years at 10 kW. */
const JOULES: Range = [0, 1e13];
/** From what GPUs are made for to more than silicon survives; -1 means no value. */
const CELSIUS: Range = [0, 150];
/** 16 TiB. */
const BYTES: Range = [0, 2 ** 44];
const HERTZ: Range = [0, 1e11];
const SESSIONS: Range = [0, 4096];
const FPS: Range = [0, 100_000];
/** Queueing included: an L40S reached 4.27 s with two unpaced sessions. */
const LATENCY: Range = [0, 600];

/** Every metric that the exporter may publish. */
export const METRICS = {
  devices: {
    name: "gpu_devices",
    type: "gauge",
    help: "GPUs that responded to the last collection.",
    range: COUNT,
  },
  expectedDevices: {
    name: "gpu_expected_devices",
    type: "gauge",
    help: "GPUs seen since this exporter started; more than gpu_devices when one is lost or gone.",
    range: COUNT,
  },
  up: {
    name: "gpu_up",
    type: "gauge",
    help: "Whether the GPU responds (1) or is lost, gone, failing or hanging (0); /health has the reason.",
    labels: GPU,
    range: FLAG,
  },
  info: {
    name: "gpu_info",
    type: "gauge",
    help: "What the GPU and its driver are; always 1. minor is N of /dev/nvidiaN.",
    labels: [...GPU, "name", "pci_bus_id", "minor", "driver_version", "nvml_version", "cuda_version"],
    range: FLAG,
  },
  power: {
    name: "gpu_power_watts",
    type: "gauge",
    help:
      "Power draw of the board from nvmlDeviceGetPowerUsage (mW): mean of the last second on Ampere and " +
      "newer except GA100, instantaneous before.",
    labels: GPU,
    range: WATTS,
  },
  powerLimit: {
    name: "gpu_power_limit_watts",
    type: "gauge",
    help: "Power limit in force from nvmlDeviceGetEnforcedPowerLimit (mW): the least of all limits.",
    labels: GPU,
    range: WATTS,
  },
  energy: {
    name: "gpu_energy_joules_total",
    type: "counter",
    help: "Energy since the driver was loaded, from NVML field 83 (mJ); Volta and newer.",
    labels: GPU,
    range: JOULES,
  },
  temperature: {
    name: "gpu_temperature_celsius",
    type: "gauge",
    help: "Temperature of the GPU (nvmlDeviceGetTemperatureV) and of its memory (NVML field 82).",
    labels: [...GPU, "sensor"],
    range: CELSIUS,
  },
  fan: {
    name: "gpu_fan_speed_ratio",
    type: "gauge",
    help:
      "Intended speed of a fan as a share of its maximum, from nvmlDeviceGetFanSpeed_v2 (%); can exceed 1.",
    labels: [...GPU, "fan"],
    range: FAN,
  },
  utilization: {
    name: "gpu_utilization_ratio",
    type: "gauge",
    help: "Share of the last sample period in which a kernel ran, from nvmlDeviceGetUtilizationRates (%); " +
      "encoding and decoding do not count.",
    labels: GPU,
    range: SHARE,
  },
  memoryUtilization: {
    name: "gpu_memory_utilization_ratio",
    type: "gauge",
    help: "Share of the last sample period in which memory was read or written, from " +
      "nvmlDeviceGetUtilizationRates (%).",
    labels: GPU,
    range: SHARE,
  },
  encoder: {
    name: "gpu_encoder_utilization_ratio",
    type: "gauge",
    help: "Utilization of the video encoder (NVENC), from nvmlDeviceGetEncoderUtilization (%).",
    labels: GPU,
    range: SHARE,
  },
  decoder: {
    name: "gpu_decoder_utilization_ratio",
    type: "gauge",
    help: "Utilization of the video decoder (NVDEC), from nvmlDeviceGetDecoderUtilization (%).",
    labels: GPU,
    range: SHARE,
  },
  jpeg: {
    name: "gpu_jpeg_utilization_ratio",
    type: "gauge",
    help: "Utilization of the JPEG decoder, from nvmlDeviceGetJpgUtilization (%).",
    labels: GPU,
    range: SHARE,
  },
  ofa: {
    name: "gpu_ofa_utilization_ratio",
    type: "gauge",
    help: "Utilization of the optical flow accelerator, from nvmlDeviceGetOfaUtilization (%).",
    labels: GPU,
    range: SHARE,
  },
  memoryTotal: {
    name: "gpu_memory_total_bytes",
    type: "gauge",
    help: "Memory of the GPU from nvmlDeviceGetMemoryInfo_v2 (bytes): used, free and reserved together.",
    labels: GPU,
    range: BYTES,
  },
  memoryUsed: {
    name: "gpu_memory_used_bytes",
    type: "gauge",
    help:
      "Memory in use from nvmlDeviceGetMemoryInfo_v2 (bytes), without what the driver reserves; drivers " +
      "before R510 include that (nvmlDeviceGetMemoryInfo).",
    labels: GPU,
    range: BYTES,
  },
  memoryFree: {
    name: "gpu_memory_free_bytes",
    type: "gauge",
    help: "Memory that is free, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: GPU,
    range: BYTES,
  },
  memoryReserved: {
    name: "gpu_memory_reserved_bytes",
    type: "gauge",
    help: "Memory that the driver and firmware keep, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: GPU,
    range: BYTES,
  },
  clock: {
    name: "gpu_clock_hertz",
    type: "gauge",
    help: "Clock from nvmlDeviceGetClockInfo (MHz); video is that of NVENC and NVDEC.",
    labels: [...GPU, "clock"],
    range: HERTZ,
  },
  clockMax: {
    name: "gpu_clock_max_hertz",
    type: "gauge",
    help: "Highest clock from nvmlDeviceGetMaxClockInfo (MHz); the clock itself can exceed it a little.",
    labels: [...GPU, "clock"],
    range: HERTZ,
  },
  performanceState: {
    name: "gpu_performance_state",
    type: "gauge",
    help: "Performance state from nvmlDeviceGetPerformanceState: 0 fastest to 15 slowest.",
    labels: GPU,
    range: [0, 15],
  },
  eventReason: {
    name: "gpu_clocks_event_reason",
    type: "gauge",
    help:
      "Whether this holds the clocks down now, from nvmlDeviceGetCurrentClocksEventReasons; gpu_idle is no " +
      "fault. Only the reasons that the GPU can give.",
    labels: [...GPU, "reason"],
    range: FLAG,
  },
  pcieThroughput: {
    name: "gpu_pcie_throughput_bytes_per_second",
    type: "gauge",
    help:
      "PCIe traffic since the last reading, from NVML fields 197 and 198 (bytes); with --pcie-throughput, " +
      "where the driver lacks them, of 20 ms from nvmlDeviceGetPcieThroughput (KB/s, taken as 1000 bytes).",
    labels: [...GPU, "direction"],
    range: [0, 1e12],
  },
  pcieLinkGeneration: {
    name: "gpu_pcie_link_generation",
    type: "gauge",
    help: "PCIe generation of the link now, from nvmlDeviceGetCurrPcieLinkGeneration; falls when idle.",
    labels: GPU,
    range: [0, 16],
  },
  pcieLinkWidth: {
    name: "gpu_pcie_link_width",
    type: "gauge",
    help: "PCIe lanes of the link now, from nvmlDeviceGetCurrPcieLinkWidth.",
    labels: GPU,
    range: [0, 32],
  },
  pcieReplays: {
    name: "gpu_pcie_replays_total",
    type: "counter",
    help: "PCIe packets sent again since the GPU was reset, from NVML field 94.",
    labels: GPU,
    range: COUNT,
  },
  eccErrors: {
    name: "gpu_ecc_errors_total",
    type: "counter",
    help:
      "Memory errors that ECC corrected or could not correct, from NVML fields 3 to 6: volatile since the " +
      "driver was loaded, aggregate over the GPU's life.",
    labels: [...GPU, "kind", "scope"],
    range: COUNT,
  },
  remappedRows: {
    name: "gpu_remapped_rows",
    type: "gauge",
    help: "Memory rows replaced after errors of this kind, from NVML fields 142 and 143; Ampere and newer.",
    labels: [...GPU, "kind"],
    range: COUNT,
  },
  rowRemappingPending: {
    name: "gpu_row_remapping_pending",
    type: "gauge",
    help: "Whether a row waits for a reset of the GPU to be replaced, from NVML field 144.",
    labels: GPU,
    range: FLAG,
  },
  rowRemappingFailed: {
    name: "gpu_row_remapping_failed",
    type: "gauge",
    help: "Whether replacing a row has failed, from NVML field 145: the GPU needs service.",
    labels: GPU,
    range: FLAG,
  },
  xidErrors: {
    name: "gpu_xid_errors_total",
    type: "counter",
    help: "Xid errors since this exporter started, from NVML events; a series begins with its first error.",
    labels: [...GPU, "xid"],
    range: COUNT,
  },
  xidLast: {
    name: "gpu_xid_last_timestamp_seconds",
    type: "gauge",
    help: "Unix time of the last Xid error of this number, in seconds.",
    labels: [...GPU, "xid"],
    range: [0, Infinity],
  },
  encoderSessions: {
    name: "gpu_encoder_sessions",
    type: "gauge",
    help: "NVENC sessions from nvmlDeviceGetEncoderStats, or where that fails the length of the list from " +
      "nvmlDeviceGetEncoderSessions; some GPUs without an encoder report 0.",
    labels: GPU,
    range: SESSIONS,
  },
  encoderFps: {
    name: "gpu_encoder_average_fps",
    type: "gauge",
    help:
      "Mean frames per second of the NVENC sessions, from nvmlDeviceGetEncoderStats; absent without sessions.",
    labels: GPU,
    range: FPS,
  },
  encoderLatency: {
    name: "gpu_encoder_average_latency_seconds",
    type: "gauge",
    help:
      "Mean time of a frame in NVENC, queueing included, from nvmlDeviceGetEncoderStats (us); absent without " +
      "sessions.",
    labels: GPU,
    range: LATENCY,
  },
  sessionFps: {
    name: "gpu_encoder_session_fps",
    type: "gauge",
    help:
      "Frames per second of one NVENC session, from nvmlDeviceGetEncoderSessions; pid is the host's, if " +
      "this exporter shares the host's pid namespace.",
    labels: [...GPU, "session", "pid", "codec", "width", "height"],
    range: FPS,
  },
  sessionLatency: {
    name: "gpu_encoder_session_latency_seconds",
    type: "gauge",
    help: "Mean time of a frame of one NVENC session, from nvmlDeviceGetEncoderSessions (us); pid is the " +
      "host's, if this exporter shares the host's pid namespace.",
    labels: [...GPU, "session", "pid", "codec", "width", "height"],
    range: LATENCY,
  },
  encoderCapacity: {
    name: "gpu_encoder_capacity_ratio",
    type: "gauge",
    help: "Encoder capacity for a codec that is still free, as a share of its maximum, from " +
      "nvmlDeviceGetEncoderCapacity (%).",
    labels: [...GPU, "codec"],
    range: SHARE,
  },
  processes: {
    name: "gpu_processes",
    type: "gauge",
    help: "Processes on the GPU with --processes; of more than 64, those with the most memory are listed.",
    labels: GPU,
    range: COUNT,
  },
  processMemory: {
    name: "gpu_process_memory_bytes",
    type: "gauge",
    help:
      "GPU memory of a process with --processes, from NVML's process lists (bytes); pid is the host's, if " +
      "this exporter shares the host's pid namespace.",
    labels: [...GPU, "pid", "type"],
    range: BYTES,
  },
  processUtilization: {
    name: "gpu_process_utilization_ratio",
    type: "gauge",
    help:
      "What a process used of an engine with --processes, in its newest sample since the last reading, from " +
      "nvmlDeviceGetProcessUtilization (%); absent when it used none.",
    labels: [...GPU, "pid", "engine"],
    range: SHARE,
  },
  migInfo: {
    name: "gpu_mig_info",
    type: "gauge",
    help: "A MIG device; always 1. mig is its GPU instance, gpu and uuid are the GPU's own.",
    labels: [...GPU, "mig", "compute_instance", "mig_uuid", "profile"],
    range: FLAG,
  },
  migMemoryTotal: {
    name: "gpu_mig_memory_total_bytes",
    type: "gauge",
    help: "Memory of a GPU instance, which its MIG devices share, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
    range: BYTES,
  },
  migMemoryUsed: {
    name: "gpu_mig_memory_used_bytes",
    type: "gauge",
    help: "Memory that processes use in a GPU instance, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
    range: BYTES,
  },
  migMemoryFree: {
    name: "gpu_mig_memory_free_bytes",
    type: "gauge",
    help: "Memory that is free in a GPU instance, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
    range: BYTES,
  },
  migMemoryReserved: {
    name: "gpu_mig_memory_reserved_bytes",
    type: "gauge",
    help: "Memory that the driver keeps in a GPU instance, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
    range: BYTES,
  },
  migEngines: {
    name: "gpu_mig_engines",
    type: "gauge",
    help:
      "Engines of a MIG device by kind, from nvmlDeviceGetAttributes_v2; all but sm are shared within its " +
      "GPU instance.",
    labels: [...GPU, "mig", "compute_instance", "engine"],
    range: [0, 65_535],
  },
} as const satisfies Record<string, GpuMetric>;
