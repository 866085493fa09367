/**
 * Asks an exporter of this host for its metrics and its health.
 *
 * @module
 */
import { parseMetrics } from "./metrics_text.js";

const TIMEOUT_MS = 10_000;
/** How long one that did not answer is left alone, in milliseconds. */
const REST_MS = 15_000;

/** One exporter, the page's own or a neighbour. */
export class ExporterClient {
  #origin;
  #telemetryPath;
  #nextMs = 0;

  /** `origin` is empty for the page's own exporter. */
  constructor(origin, telemetryPath) {
    this.#origin = origin;
    this.#telemetryPath = telemetryPath;
  }

  /** Returns `{families, report}`; undefined where a neighbour does not answer or was found silent a moment ago. */
  async askQuietly() {
    if (performance.now() < this.#nextMs) return undefined;
    try {
      return await this.ask();
    } catch {
      this.#nextMs = performance.now() + REST_MS;
      return undefined;
    }
  }

  /** Returns `{families, report}`. @throws where it does not answer, with what it answered instead */
  async ask() {
    const [metrics, report] = await Promise.all([
      this.get(this.#telemetryPath, { accept: "text/plain" }),
      this.get("/health", {}),
    ]);
    return { families: parseMetrics(await metrics.text()), report: await report.json() };
  }

  async get(path, headers) {
    const response = await fetch(`${this.#origin}${path}`, {
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`${path} answers ${response.status}`);
    return response;
  }
}
