/**
 * The cpu exporter with the page /permissions.
 *
 * @module
 */
import { PROGRAM } from "../../../exporters/cpu/main.ts";
import { runProbe } from "./probe.ts";

if (import.meta.main) await runProbe(PROGRAM);
