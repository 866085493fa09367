/**
 * What an exporter is, as data: its name, port and flags, and what Deno must grant for each.
 *
 * Manifests need no library, so that a compiled exporter can narrow its permissions before it loads any; tasks,
 * drop-ins, scrape jobs and documents are generated from them.
 *
 * @module
 */
import type { Flags } from "./options.ts";

/** What an exporter is. */
export interface Manifest<F extends Flags = Flags> {
  /** Its folder, its task and its `exporter` label. */
  readonly name: string;
  /** TCP port it listens on by default. */
  readonly port: number;
  /** Environment variable that sets the port where no flag does. */
  readonly portVariable: string;
  /** File name of the compiled program, name of its unit and of its compose service. */
  readonly artifact: string;
  /** What it measures, in a few words. */
  readonly measures: string;
  /** What it does, in a sentence, for `--help`. */
  readonly summary: string;
  /** What it reads, for tables. */
  readonly reads: string;
  /** What a worker needs for it, for tables. */
  readonly needs: string;
  /** Paths, as shell patterns, one of which exists where a worker has that. */
  readonly signs: readonly string[];
  /** Flags that an installation starts with. */
  readonly installedFlags?: readonly string[];
  /** How the scrape configurations ask it. */
  readonly scrape: {
    readonly intervalSeconds: number;
    readonly timeoutSeconds: number;
    /** Why not more or less often, as a comment. */
    readonly reason?: string;
  };
  /** Its flags beyond those that every exporter has; what they grant is all that it may do beside listening. */
  readonly flags: F;
  /** Whether a library of it reads the environment while it loads: Deno then answers that nothing is set. */
  readonly ignoresEnvironment?: boolean;
}

/** What all exporters of a project share. */
export interface Project {
  /** Version of the project. */
  readonly version: string;
  /** Every exporter of the project. */
  readonly exporters: readonly Manifest[];
}
