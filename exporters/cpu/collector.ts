/**
 * Turns samples of the powercap tree into metrics.
 *
 * @module
 */
import type { Collection, Collector } from "../../lib/collector.ts";
import { Snapshot } from "../../lib/exposition.ts";
import { REJECTIONS } from "./energy_counter.ts";
import { RAPL_METRICS } from "./metrics.ts";
import type { PowercapSampler, Sample, SampledZone } from "./sampler.ts";

const MICRO_PER_UNIT = 1e6;

/** Publishes what a sampler found. Between two samples the same collection serves everyone. */
export class PowercapCollector implements Collector {
  readonly source = "powercap";
  readonly #sampler: PowercapSampler;
  #sample: Sample | undefined;
  #collection: Collection | undefined;

  constructor(sampler: PowercapSampler) {
    this.#sampler = sampler;
  }

  collect(): Collection {
    const sample = this.#sampler.latest;
    if (!this.#collection || sample !== this.#sample) {
      this.#sample = sample;
      this.#collection = publish(sample);
    }
    return this.#collection;
  }
}

function publish(sample: Sample): Collection {
  const up = sample.zones.length > 0;
  const snapshot = new Snapshot();
  snapshot.add(RAPL_METRICS.available, up ? 1 : 0);
  snapshot.add(RAPL_METRICS.zonesDiscovered, sample.discovered);
  for (const sampled of sample.zones) addZone(snapshot, sampled);
  snapshot.add(RAPL_METRICS.nodeEnergy, toJoules(sample.node?.microjoules));
  snapshot.add(RAPL_METRICS.nodePower, sample.node?.watts);
  return { up, snapshot, problems: sample.problems, durationSeconds: sample.durationSeconds };
}

function addZone(snapshot: Snapshot, { zone, ...counter }: SampledZone): void {
  const labels = { zone: zone.name, package: zone.packageId, path: zone.path };
  snapshot.add(RAPL_METRICS.energy, toJoules(counter.totalMicrojoules), labels);
  snapshot.add(RAPL_METRICS.power, counter.watts, labels);
  snapshot.add(RAPL_METRICS.powerPeak, counter.peakWatts, labels);
  for (const { constraint, limitMicrowatts, windowMicroseconds } of zone.limits) {
    const constrained = { ...labels, constraint };
    snapshot.add(RAPL_METRICS.powerLimit, toUnit(limitMicrowatts), constrained);
    snapshot.add(RAPL_METRICS.powerLimitWindow, toUnit(windowMicroseconds), constrained);
  }
  if (zone.enabled !== undefined) snapshot.add(RAPL_METRICS.enabled, zone.enabled ? 1 : 0, labels);
  snapshot.add(RAPL_METRICS.wraps, counter.wraps, labels);
  for (const reason of REJECTIONS) {
    snapshot.add(RAPL_METRICS.rejected, counter.rejected[reason], { ...labels, reason });
  }
}

/** To the microjoule up to 9 gigajoules, which is nine years at 30 W and three months at a kilowatt. */
function toJoules(microjoules: bigint | undefined): number | undefined {
  return microjoules === undefined ? undefined : Number(microjoules) / MICRO_PER_UNIT;
}

function toUnit(micro: number | undefined): number | undefined {
  return micro === undefined ? undefined : micro / MICRO_PER_UNIT;
}
