/**
 * What an engine is, from its answer to `GET /version`, and what follows from that. Podman answers in the shape of
 * Docker's API and is recognised by its component "Podman Engine".
 *
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemVersion
 *
 * @module
 */
import { DockerApiError } from "./docker_api_error.ts";
import { type JsonObject, objectOf, textOf } from "./json.ts";

/** Oldest version of the API with one-shot statistics: Docker 20.10. */
const MIN_API_VERSION = "1.41";
/** Newest version this code was written against: Docker 29. An engine that offers more is asked for this. */
const MAX_API_VERSION = "1.52";
/** From this version on, Docker 25, one-shot statistics are taken when they are asked for. */
const IMMEDIATE_STATS_VERSION = "1.44";

/** An engine. */
export interface Engine {
  readonly name: "docker" | "podman";
  /** Version of the program: `20.10.24`. */
  readonly version: string;
  /** Version of the API in which it is read: `1.41`. */
  readonly apiVersion: string;
  readonly os: string;
  readonly arch: string;
  readonly kernel: string;
  /** Whether it reads statistics when asked; otherwise once a second, while anybody waits for them. */
  readonly hasImmediateStats: boolean;
}

/** Reads the answer to `/version`. @throws {DockerApiError} when no version of the API is common, or it is no engine */
export function parseEngine(body: JsonObject): Engine {
  const text = (key: string): string => textOf(body[key]) ?? "";
  const apiVersion = chooseApiVersion(text("ApiVersion"), text("MinAPIVersion"));
  const components = Array.isArray(body["Components"]) ? body["Components"] : [];
  const isPodman = components.some((component) => objectOf(component)?.["Name"] === "Podman Engine");
  return {
    name: isPodman ? "podman" : "docker",
    version: text("Version"),
    apiVersion,
    os: text("Os"),
    arch: text("Arch"),
    kernel: text("KernelVersion"),
    // Podman 4.3 to 5.4 offers 1.41 and yet answers at once.
    hasImmediateStats: isPodman || compareVersions(apiVersion, IMMEDIATE_STATS_VERSION) >= 0,
  };
}

/** The newest version that both sides speak. @throws {DockerApiError} when there is none */
function chooseApiVersion(offered: string, least: string): string {
  if (!/^\d+\.\d+$/.test(offered)) {
    throw new DockerApiError(
      "invalid",
      `Cannot understand the answer to "version": expected the API's version, got ${
        JSON.stringify(offered)
      }. Check ` +
        'that "--docker-host" names an engine and not another service',
    );
  }
  if (compareVersions(offered, MIN_API_VERSION) < 0) {
    throw new DockerApiError(
      "version",
      `Cannot use this engine as it speaks API ${offered}: it must be ${MIN_API_VERSION} (Docker 20.10) or newer`,
    );
  }
  const newest = compareVersions(offered, MAX_API_VERSION) < 0 ? offered : MAX_API_VERSION;
  // An engine that no longer speaks what this code knows: its oldest version is the nearest.
  return /^\d+\.\d+$/.test(least) && compareVersions(newest, least) < 0 ? least : newest;
}

/** Compares the first two numbers of two versions: negative when `left` is the older one. */
export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split(".").map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split(".").map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}
