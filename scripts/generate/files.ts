/**
 * What `deno task generate` writes.
 *
 * @module
 */
import { CATALOG } from "../../exporters/catalog.ts";
import { denoRunDropIn } from "./drop_ins.ts";
import { withExporterTasks } from "./tasks.ts";

/** A file that repeats the manifests, whole or in part. */
export interface GeneratedFile {
  /** Relative to the project's folder. */
  readonly path: string;
  /** Returns its content; `before` is the content that it has, or nothing. */
  readonly generate: (before: string) => string;
}

const EXPORTERS = Object.values(CATALOG);

/** All of them. */
export const GENERATED: readonly GeneratedFile[] = [
  { path: "deno.json", generate: (before) => withExporterTasks(before, EXPORTERS) },
  ...EXPORTERS.map((manifest) => ({
    path: `systemd/deno-run/${manifest.artifact}.conf`,
    generate: () => denoRunDropIn(manifest),
  })),
];
