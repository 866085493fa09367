/**
 * What `deno task generate` writes.
 *
 * @module
 */
import { CATALOG } from "../../exporters/catalog.ts";
import { withDeploymentTables, withReadmeTables } from "./documents.ts";
import { denoRunDropIn } from "./drop_ins.ts";
import { withInstallTable, withSettings } from "./installation.ts";
import { metricsDocument } from "./metrics.ts";
import { withScrapeJobs } from "./scrape_jobs.ts";
import { withExporterTasks } from "./tasks.ts";

/** A file that repeats the manifests, whole or in part. */
export interface GeneratedFile {
  /** Relative to the project's folder. */
  readonly path: string;
  /** Returns its content; `before` is the content that it has, or nothing. */
  readonly generate: (before: string) => string | Promise<string>;
}

const EXPORTERS = Object.values(CATALOG);

/** All of them. */
export const GENERATED: readonly GeneratedFile[] = [
  { path: "deno.json", generate: (before) => withExporterTasks(before, EXPORTERS) },
  ...EXPORTERS.map((manifest) => ({
    path: `systemd/deno-run/${manifest.artifact}.conf`,
    generate: () => denoRunDropIn(manifest),
  })),
  { path: "systemd/worker-exporters.env", generate: (before) => withSettings(before, EXPORTERS) },
  { path: "scripts/machine.sh", generate: (before) => withInstallTable(before, EXPORTERS) },
  { path: "README.md", generate: (before) => withReadmeTables(before, EXPORTERS) },
  { path: "DEPLOYMENT.md", generate: (before) => withDeploymentTables(before, EXPORTERS) },
  ...["prometheus", "victoria-metrics", "secured"].map((name) => ({
    path: `monitoring/scrape/${name}.yml`,
    generate: (before: string) => withScrapeJobs(before, EXPORTERS, name === "secured"),
  })),
  { path: "docs/METRICS.md", generate: () => metricsDocument(EXPORTERS) },
];
