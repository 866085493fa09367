/**
 * The exporter that reads nothing with the page /permissions.
 *
 * @module
 */
import { PROGRAM } from "../toy.ts";
import { runProbe } from "./probe.ts";

if (import.meta.main) await runProbe(PROGRAM);
