/**
 * The metrics of the docker exporter.
 *
 * @module
 */
import { ENGINE_METRICS, EVENT_METRICS, NETWORK_METRICS } from "../../exporters/docker/metrics.ts";
import type { NotHeld } from "./row.ts";

/** All of them. */
export const DOCKER_ROWS: readonly NotHeld[] = [
  ...Object.values(ENGINE_METRICS),
  ...Object.values(EVENT_METRICS),
  ...Object.values(NETWORK_METRICS).flatMap((metrics) => Object.values(metrics)),
].map((metric) => ({
  metric,
  because:
    "tests/docker/vintages_test.ts and engine_test.ts hold it against cgroups and the engine's command",
}));
