/**
 * The gpu exporter with the page /permissions.
 *
 * @module
 */
import { PROGRAM } from "../../../exporters/gpu/main.ts";
import { runProbe } from "./probe.ts";

if (import.meta.main) await runProbe(PROGRAM);
