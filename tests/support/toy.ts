/**
 * An exporter that reads nothing: what lib/ does for every exporter is tested and measured with it.
 *
 * @module
 */
import { type MetricDefinition, Snapshot } from "../../lib/exposition.ts";
import { runExporter } from "../../lib/exporter.ts";
import type { Manifest } from "../../lib/manifest.ts";
import type { PageDescription } from "../../lib/page.ts";
import type { Exporter, ExporterProgram } from "../../lib/program.ts";

/** What it is. */
export const TOY = {
  name: "toy",
  port: 9599,
  portVariable: "TOY_EXPORTER_PORT",
  artifact: "toy-exporter",
  measures: "nothing",
  summary: "publishes one level that never changes",
  reads: "nothing",
  needs: "nothing",
  signs: ["/"],
  scrape: { intervalSeconds: 15, timeoutSeconds: 10 },
  flags: {
    "folder": {
      placeholder: "DIR",
      help: "a folder that it may read",
      default: "/run/toy",
      grants: (folder = "") => ({ read: [folder] }),
    },
    "more": {
      placeholder: "DIR",
      help: "another one",
      repeatable: true,
      grants: (folder) => folder === undefined ? {} : { read: [folder] },
    },
  },
} as const satisfies Manifest;

/** Its page. */
export const TOY_PAGE: PageDescription = {
  title: "Toy",
  summary: "One level.",
  chart: { metric: "toy_level_ratio", unit: "ratio", labels: ["side"] },
  table: { key: ["side"], columns: [{ metric: "toy_level_ratio", title: "Level", unit: "ratio" }] },
};

/** The metric of its only series. */
export const LEVEL = {
  name: "toy_level_ratio",
  type: "gauge",
  help: "Level of the toy.",
  labels: ["side"],
} as const satisfies MetricDefinition;

/** The exporter as a program. */
export const PROGRAM = {
  manifest: TOY,
  project: { version: "1.2.3", exporters: [TOY] },
  start(options): Exporter {
    return {
      collectors: [{
        source: "toy",
        collect: () => {
          const snapshot = new Snapshot();
          snapshot.add(LEVEL, 0.5, { side: "left" });
          return { up: true, snapshot, problems: [] };
        },
      }],
      page: TOY_PAGE,
      keep: [{ name: "read", path: options.folder }],
    };
  },
} satisfies ExporterProgram<typeof TOY.flags>;

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
