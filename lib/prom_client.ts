/**
 * The one class of prom-client that this project needs, loaded without the rest of the package.
 *
 * @module
 */
import type { PrometheusContentType, Registry as RegistryType, RegistryContentType } from "prom-client";
import RegistryValue from "prom-client/lib/registry.js";
import util from "prom-client/lib/util.js";

/** Prom-client's registry: what it holds it writes out in the text format or in OpenMetrics. */
export const Registry = RegistryValue as unknown as new (
  contentType?: RegistryContentType,
) => RegistryType<PrometheusContentType>;

/** Writes a value as both formats want it. */
export const getValueAsString = util.getValueAsString as (value: number) => string;
