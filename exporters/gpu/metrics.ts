/**
 * The metrics of the GPU exporter: names, labels and what each value is.
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";

const GPU = ["gpu", "uuid"] as const;

/** Every metric that the exporter may publish. */
export const METRICS = {
  devices: {
    name: "gpu_devices",
    type: "gauge",
    help: "GPUs that answered the last collection.",
  },
  expectedDevices: {
    name: "gpu_expected_devices",
    type: "gauge",
    help: "GPUs seen since this exporter started; more than gpu_devices when one is lost or gone.",
  },
  up: {
    name: "gpu_up",
    type: "gauge",
    help: "Whether the GPU answers (1) or is lost, gone, failing or hanging (0); /health says why.",
    labels: GPU,
  },
  info: {
    name: "gpu_info",
    type: "gauge",
    help: "What the GPU and its driver are; always 1. minor is N of /dev/nvidiaN.",
    labels: [...GPU, "name", "pci_bus_id", "minor", "driver_version", "nvml_version", "cuda_version"],
  },
  power: {
    name: "gpu_power_watts",
    type: "gauge",
    help:
      "Power draw of the board from nvmlDeviceGetPowerUsage (mW): mean of the last second on Ampere and " +
      "newer except GA100, instantaneous before.",
    labels: GPU,
  },
  powerLimit: {
    name: "gpu_power_limit_watts",
    type: "gauge",
    help: "Power limit in force from nvmlDeviceGetEnforcedPowerLimit (mW): the least of all limits.",
    labels: GPU,
  },
  energy: {
    name: "gpu_energy_joules_total",
    type: "counter",
    help: "Energy since the driver was loaded, from NVML field 83 (mJ); Volta and newer.",
    labels: GPU,
  },
  temperature: {
    name: "gpu_temperature_celsius",
    type: "gauge",
    help: "Temperature of the GPU (nvmlDeviceGetTemperatureV) and of its memory (NVML field 82).",
    labels: [...GPU, "sensor"],
  },
  fan: {
    name: "gpu_fan_speed_ratio",
    type: "gauge",
    help:
      "Intended speed of a fan as a share of its maximum, from nvmlDeviceGetFanSpeed_v2 (%); can exceed 1.",
    labels: [...GPU, "fan"],
  },
  utilization: {
    name: "gpu_utilization_ratio",
    type: "gauge",
    help: "Share of the last sample period in which a kernel ran, from nvmlDeviceGetUtilizationRates (%); " +
      "encoding and decoding do not count.",
    labels: GPU,
  },
  memoryUtilization: {
    name: "gpu_memory_utilization_ratio",
    type: "gauge",
    help: "Share of the last sample period in which memory was read or written, from " +
      "nvmlDeviceGetUtilizationRates (%).",
    labels: GPU,
  },
  encoder: {
    name: "gpu_encoder_utilization_ratio",
    type: "gauge",
    help: "Utilization of the video encoder (NVENC), from nvmlDeviceGetEncoderUtilization (%).",
    labels: GPU,
  },
  decoder: {
    name: "gpu_decoder_utilization_ratio",
    type: "gauge",
    help: "Utilization of the video decoder (NVDEC), from nvmlDeviceGetDecoderUtilization (%).",
    labels: GPU,
  },
  jpeg: {
    name: "gpu_jpeg_utilization_ratio",
    type: "gauge",
    help: "Utilization of the JPEG decoder, from nvmlDeviceGetJpgUtilization (%).",
    labels: GPU,
  },
  ofa: {
    name: "gpu_ofa_utilization_ratio",
    type: "gauge",
    help: "Utilization of the optical flow accelerator, from nvmlDeviceGetOfaUtilization (%).",
    labels: GPU,
  },
  memoryTotal: {
    name: "gpu_memory_total_bytes",
    type: "gauge",
    help: "Memory of the GPU from nvmlDeviceGetMemoryInfo_v2 (bytes): used, free and reserved together.",
    labels: GPU,
  },
  memoryUsed: {
    name: "gpu_memory_used_bytes",
    type: "gauge",
    help: "Memory that processes use, without what the driver reserves, from nvmlDeviceGetMemoryInfo_v2 " +
      "(bytes); absent before R510, where the two cannot be told apart.",
    labels: GPU,
  },
  memoryFree: {
    name: "gpu_memory_free_bytes",
    type: "gauge",
    help: "Memory that is free, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: GPU,
  },
  memoryReserved: {
    name: "gpu_memory_reserved_bytes",
    type: "gauge",
    help: "Memory that the driver and firmware keep, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: GPU,
  },
  clock: {
    name: "gpu_clock_hertz",
    type: "gauge",
    help: "Clock from nvmlDeviceGetClockInfo (MHz); video is that of NVENC and NVDEC.",
    labels: [...GPU, "clock"],
  },
  clockMax: {
    name: "gpu_clock_max_hertz",
    type: "gauge",
    help: "Highest clock from nvmlDeviceGetMaxClockInfo (MHz); the clock itself can exceed it a little.",
    labels: [...GPU, "clock"],
  },
  performanceState: {
    name: "gpu_performance_state",
    type: "gauge",
    help: "Performance state from nvmlDeviceGetPerformanceState: 0 fastest to 15 slowest.",
    labels: GPU,
  },
  eventReason: {
    name: "gpu_clocks_event_reason",
    type: "gauge",
    help:
      "Whether this holds the clocks down now, from nvmlDeviceGetCurrentClocksEventReasons; gpu_idle is no " +
      "fault. Only the reasons that the GPU can give.",
    labels: [...GPU, "reason"],
  },
  pcieThroughput: {
    name: "gpu_pcie_throughput_bytes_per_second",
    type: "gauge",
    help:
      "PCIe traffic since the last reading, from NVML fields 197 and 198 (bytes); with --pcie-throughput, " +
      "where the driver lacks them, of 20 ms from nvmlDeviceGetPcieThroughput (KB/s, taken as 1000 bytes).",
    labels: [...GPU, "direction"],
  },
  pcieLinkGeneration: {
    name: "gpu_pcie_link_generation",
    type: "gauge",
    help: "PCIe generation of the link now, from nvmlDeviceGetCurrPcieLinkGeneration; falls when idle.",
    labels: GPU,
  },
  pcieLinkWidth: {
    name: "gpu_pcie_link_width",
    type: "gauge",
    help: "PCIe lanes of the link now, from nvmlDeviceGetCurrPcieLinkWidth.",
    labels: GPU,
  },
  pcieReplays: {
    name: "gpu_pcie_replays_total",
    type: "counter",
    help: "PCIe packets sent again since the GPU was reset, from NVML field 94.",
    labels: GPU,
  },
  eccErrors: {
    name: "gpu_ecc_errors_total",
    type: "counter",
    help:
      "Memory errors that ECC corrected or could not correct, from NVML fields 3 to 6: volatile since the " +
      "driver was loaded, aggregate over the GPU's life.",
    labels: [...GPU, "kind", "scope"],
  },
  remappedRows: {
    name: "gpu_remapped_rows",
    type: "gauge",
    help: "Memory rows replaced after errors of this kind, from NVML fields 142 and 143; Ampere and newer.",
    labels: [...GPU, "kind"],
  },
  rowRemappingPending: {
    name: "gpu_row_remapping_pending",
    type: "gauge",
    help: "Whether a row waits for a reset of the GPU to be replaced, from NVML field 144.",
    labels: GPU,
  },
  rowRemappingFailed: {
    name: "gpu_row_remapping_failed",
    type: "gauge",
    help: "Whether replacing a row has failed, from NVML field 145: the GPU needs service.",
    labels: GPU,
  },
  xidErrors: {
    name: "gpu_xid_errors_total",
    type: "counter",
    help: "Xid errors since this exporter started, from NVML events; a series begins with its first error.",
    labels: [...GPU, "xid"],
  },
  xidLast: {
    name: "gpu_xid_last_timestamp_seconds",
    type: "gauge",
    help: "Unix time of the last Xid error of this number, in seconds.",
    labels: [...GPU, "xid"],
  },
  encoderSessions: {
    name: "gpu_encoder_sessions",
    type: "gauge",
    help: "NVENC sessions from nvmlDeviceGetEncoderStats; some GPUs without an encoder answer 0.",
    labels: GPU,
  },
  encoderFps: {
    name: "gpu_encoder_average_fps",
    type: "gauge",
    help:
      "Mean frames per second of the NVENC sessions, from nvmlDeviceGetEncoderStats; absent without sessions.",
    labels: GPU,
  },
  encoderLatency: {
    name: "gpu_encoder_average_latency_seconds",
    type: "gauge",
    help:
      "Mean time of a frame in NVENC, queueing included, from nvmlDeviceGetEncoderStats (us); absent without " +
      "sessions.",
    labels: GPU,
  },
  sessionFps: {
    name: "gpu_encoder_session_fps",
    type: "gauge",
    help: "Frames per second of one NVENC session, from nvmlDeviceGetEncoderSessions.",
    labels: [...GPU, "session", "pid", "codec", "width", "height"],
  },
  sessionLatency: {
    name: "gpu_encoder_session_latency_seconds",
    type: "gauge",
    help: "Mean time of a frame of one NVENC session, from nvmlDeviceGetEncoderSessions (us).",
    labels: [...GPU, "session", "pid", "codec", "width", "height"],
  },
  encoderCapacity: {
    name: "gpu_encoder_capacity_ratio",
    type: "gauge",
    help:
      "Capacity of the encoder for a codec as a share of its maximum, from nvmlDeviceGetEncoderCapacity (%).",
    labels: [...GPU, "codec"],
  },
  processes: {
    name: "gpu_processes",
    type: "gauge",
    help: "Processes on the GPU with --processes; of more than 64, those with the most memory are listed.",
    labels: GPU,
  },
  processMemory: {
    name: "gpu_process_memory_bytes",
    type: "gauge",
    help: "GPU memory of a process with --processes, from NVML's process lists (bytes); pids are the host's.",
    labels: [...GPU, "pid", "type"],
  },
  processUtilization: {
    name: "gpu_process_utilization_ratio",
    type: "gauge",
    help:
      "What a process used of an engine with --processes, in its newest sample since the last reading, from " +
      "nvmlDeviceGetProcessUtilization (%); absent when it used none.",
    labels: [...GPU, "pid", "engine"],
  },
  migInfo: {
    name: "gpu_mig_info",
    type: "gauge",
    help: "A MIG device; always 1. mig is its GPU instance, gpu and uuid are the GPU's own.",
    labels: [...GPU, "mig", "compute_instance", "mig_uuid", "profile"],
  },
  migMemoryTotal: {
    name: "gpu_mig_memory_total_bytes",
    type: "gauge",
    help: "Memory of a GPU instance, which its MIG devices share, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
  },
  migMemoryUsed: {
    name: "gpu_mig_memory_used_bytes",
    type: "gauge",
    help: "Memory that processes use in a GPU instance, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
  },
  migMemoryFree: {
    name: "gpu_mig_memory_free_bytes",
    type: "gauge",
    help: "Memory that is free in a GPU instance, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
  },
  migMemoryReserved: {
    name: "gpu_mig_memory_reserved_bytes",
    type: "gauge",
    help: "Memory that the driver keeps in a GPU instance, from nvmlDeviceGetMemoryInfo_v2 (bytes).",
    labels: [...GPU, "mig"],
  },
  migEngines: {
    name: "gpu_mig_engines",
    type: "gauge",
    help:
      "Engines of a MIG device by kind, from nvmlDeviceGetAttributes_v2; all but sm are shared within its " +
      "GPU instance.",
    labels: [...GPU, "mig", "compute_instance", "engine"],
  },
} as const satisfies Record<string, MetricDefinition>;
