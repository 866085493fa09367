/**
 * The metric families of the CPU exporter.
 *
 * @module
 */
import type { MetricDefinition } from "../../lib/exposition.ts";

const ZONE_LABELS = ["zone", "package", "path"] as const;

/** Everything that the CPU exporter may publish. */
export const RAPL_METRICS = {
  available: {
    name: "rapl_available",
    type: "gauge",
    help: "Whether at least one energy counter of the powercap tree can be read (1) or none (0).",
  },
  zonesDiscovered: {
    name: "rapl_zones_discovered",
    type: "gauge",
    help: "Zones with an energy counter in the powercap tree, whether they can be read or not.",
  },
  energy: {
    name: "rapl_energy_joules_total",
    type: "counter",
    help: "Energy that the zone used since the exporter started, in joules: steps of powercap energy_uj " +
      "(microjoules) added up across wraps. Zones overlap: do not sum them. On AMD, core is a single core.",
    labels: ZONE_LABELS,
  },
  power: {
    name: "rapl_power_watts",
    type: "gauge",
    help:
      "Mean power of the zone over the last sampling interval, in watts, from powercap energy_uj (microjoules). " +
      "On AMD, core is a single core. Absent for an interval whose length is uncertain by more than 2 %.",
    labels: ZONE_LABELS,
  },
  powerPeak: {
    name: "rapl_power_peak_watts",
    type: "gauge",
    help:
      "Mean power of the zone over the sampling interval with the most power in the last minute, in watts, " +
      "from powercap energy_uj (microjoules). Intervals without a power do not count.",
    labels: ZONE_LABELS,
  },
  powerLimit: {
    name: "rapl_power_limit_watts",
    type: "gauge",
    help: "Power limit set for the zone, in watts, from powercap constraint_N_power_limit_uw (microwatts).",
    labels: [...ZONE_LABELS, "constraint"],
  },
  powerLimitWindow: {
    name: "rapl_power_limit_window_seconds",
    type: "gauge",
    help: "Time over which the mean power is held to the limit, in seconds, from powercap " +
      "constraint_N_time_window_us (microseconds).",
    labels: [...ZONE_LABELS, "constraint"],
  },
  enabled: {
    name: "rapl_zone_enabled",
    type: "gauge",
    help: "Whether the kernel enforces the zone's power limits (1) or not (0), from powercap enabled.",
    labels: ZONE_LABELS,
  },
  wraps: {
    name: "rapl_energy_wraps_total",
    type: "counter",
    help: "Times that powercap energy_uj of the zone started again from 0 at max_energy_range_uj.",
    labels: ZONE_LABELS,
  },
  rejected: {
    name: "rapl_samples_rejected_total",
    type: "counter",
    help:
      "Readings of powercap energy_uj whose step is omitted from the zone's energy: clock (suspended machine or " +
      "clock set), gap (may have wrapped more than once), implausible (more than a zone can draw), no_range " +
      "(went back, wrap unknown).",
    labels: [...ZONE_LABELS, "reason"],
  },
  nodeEnergy: {
    name: "rapl_node_energy_joules_total",
    type: "counter",
    help:
      "Energy that all processor packages and their memory (dram) used since the exporter started, each counted " +
      "once, in joules, from powercap energy_uj (microjoules). Absent while one of them cannot be read, and for five minutes after one vanished.",
  },
  nodePower: {
    name: "rapl_node_power_watts",
    type: "gauge",
    help:
      "Mean power of all processor packages and their memory (dram) over the last sampling interval, each " +
      "counted once, in watts, from powercap energy_uj (microjoules). Absent while one of them cannot be " +
      "read, and for five minutes after one vanished.",
  },
} as const satisfies Record<string, MetricDefinition>;
