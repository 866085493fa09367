/**
 * The docker exporter with the page /permissions.
 *
 * @module
 */
import { PROGRAM } from "../../../exporters/docker/main.ts";
import { runProbe } from "./probe.ts";

if (import.meta.main) await runProbe(PROGRAM);
