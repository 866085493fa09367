/**
 * What an exporter implements: a program that is started with its flags and returns what the server shows.
 *
 * @module
 */
import type { Collector } from "./collector.ts";
import type { HttpRequest, HttpResponse } from "./http/message.ts";
import type { Logger } from "./log.ts";
import type { Manifest, Project } from "./manifest.ts";
import type { Flags, ParsedFlags } from "./options.ts";
import type { PageDescription } from "./page.ts";

/** An exporter as a program. */
export interface ExporterProgram<F extends Flags = Flags> {
  /** The exporter. */
  readonly manifest: Manifest<F>;
  /** The project it belongs to. */
  readonly project: Project;
  /** Starts it. @throws {UsageError} when flags do not go together */
  start(options: ParsedFlags<F>, context: ExporterContext): Exporter | Promise<Exporter>;
}

/** What an exporter is started with. */
export interface ExporterContext {
  /** Where it logs. */
  readonly log: Logger;
}

/** An exporter that was started: what the server shows of it. */
export interface Exporter {
  /** Its sources. */
  readonly collectors: readonly Collector[];
  /** What its page shows. */
  readonly page: PageDescription;
  /** Permissions that it needs as long as it runs; every other one is revoked. */
  readonly keep?: readonly Deno.PermissionDescriptor[];
  /** Routes of its own, asked before the common ones; undefined: not one of them. */
  handle?(request: HttpRequest): HttpResponse | Promise<HttpResponse> | undefined;
  /** Paths among these routes that need no password where a web configuration asks for one. */
  readonly openPaths?: readonly string[];
  /** Ends what it does in the background. */
  stop?(): void | Promise<void>;
}
