/**
 * The docker exporter's page, asked for by name and labels.
 *
 * @module
 */
import type { ExporterProcess } from "./exporter_process.ts";
import { parseExposition } from "./exposition_parser.ts";

/** A page's samples. */
export class DockerPage {
  readonly #families;

  constructor(text: string) {
    this.#families = parseExposition(text, "text/plain; version=0.0.4");
  }

  /** Scrapes it. */
  static async of(exporter: ExporterProcess): Promise<DockerPage> {
    return new DockerPage(await exporter.metrics());
  }

  /** The value of the one series with these labels. */
  value(name: string, labels: Record<string, string> = {}): number | undefined {
    return this.#families.get(name.replace(/_(?:bucket|sum|count)$/, ""))?.samples.find((sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
    )?.value;
  }

  /** The value of a container's metric: `docker_container_<metric>`. */
  of(container: string, metric: string, labels: Record<string, string> = {}): number | undefined {
    return this.value(`docker_container_${metric}`, { name: container, ...labels });
  }

  /** The labels of a metric's first series; none where there is none. */
  labelsOf(name: string): Readonly<Record<string, string>> {
    return this.#families.get(name)?.samples[0]?.labels ?? {};
  }

  /** The state a container is in. */
  state(container: string): string | undefined {
    return this.#families.get("docker_container_state")?.samples
      .find(({ labels, value }) => labels["name"] === container && value === 1)?.labels["state"];
  }
}
