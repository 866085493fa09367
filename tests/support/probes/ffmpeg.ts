/**
 * The ffmpeg exporter with the page /permissions.
 *
 * @module
 */
import { PROGRAM } from "../../../exporters/ffmpeg/main.ts";
import { runProbe } from "./probe.ts";

if (import.meta.main) await runProbe(PROGRAM);
