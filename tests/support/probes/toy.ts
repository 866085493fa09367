/**
 * The exporter that reads nothing with the page /permissions.
 *
 * @module
 */
import { runExporter } from "../../../lib/exporter.ts";
import { PROGRAM as EXPORTER } from "../toy.ts";
import { withProbes } from "./probe.ts";

/** The exporter with the page. */
export const PROGRAM = withProbes(EXPORTER);

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
