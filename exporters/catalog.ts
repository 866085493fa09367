/**
 * The exporters of this project: the manifest of each, for the tools and for the page of every other.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import type { Manifest, Project } from "../lib/manifest.ts";
import { MANIFEST as cpu } from "./cpu/manifest.ts";
import { MANIFEST as docker } from "./docker/manifest.ts";
import { MANIFEST as ffmpeg } from "./ffmpeg/manifest.ts";
import { MANIFEST as gpu } from "./gpu/manifest.ts";

/** Every exporter by its name. */
export const CATALOG = { cpu, gpu, ffmpeg, docker } as const satisfies Record<string, Manifest>;

/** Name of one of the exporters. */
export type ExporterName = keyof typeof CATALOG;

/** This project's version, from deno.json. */
export const VERSION: string = config.version;

/** What every exporter knows of the project. */
export const PROJECT: Project = { version: VERSION, exporters: Object.values(CATALOG) };
