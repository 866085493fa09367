/**
 * The pressure exporter with the page /permissions.
 *
 * @module
 */
import { PROGRAM as EXPORTER } from "../../../exporters/pressure/main.ts";
import { runExporter } from "../../../lib/exporter.ts";
import { withProbes } from "./probe.ts";

/** The exporter with the page. */
export const PROGRAM = withProbes(EXPORTER);

if (import.meta.main) Deno.exit(await runExporter(PROGRAM, Deno.args));
