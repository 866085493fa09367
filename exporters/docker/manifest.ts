/**
 * What the docker exporter is.
 *
 * @module
 */
import type { Manifest } from "../../lib/manifest.ts";
import { parseDurationMs } from "../../lib/options.ts";
import { DEFAULT_DOCKER_HOST, hostGrants, parseDockerHost } from "./docker_host.ts";

/** Containers read at once by default, where their answers come together once a second. */
export const MAX_CONCURRENCY = 100;

/** Its name, port and flags. */
export const MANIFEST = {
  name: "docker",
  port: 9501,
  portVariable: "DOCKER_STATS_PORT",
  artifact: "docker-stats-exporter",
  measures: "containers of the Docker Engine",
  summary: "publishes CPU, memory, network, block I/O, state and events of the containers of a Docker Engine",
  reads: "the Docker Engine's API",
  needs: "Docker Engine 20.10 or newer, or Podman's Docker socket",
  signs: [DEFAULT_DOCKER_HOST.slice("unix://".length)],
  scrape: {
    intervalSeconds: 15,
    timeoutSeconds: 10,
    reason: "The engine is asked about every container, which takes a second or more on older ones.",
  },
  flags: {
    "docker-host": {
      placeholder: "URL",
      help: "where the engine is: unix:///PATH or tcp://HOST:PORT",
      parse: parseDockerHost,
      default: DEFAULT_DOCKER_HOST,
      grants: (url = "") => hostGrants(parseDockerHost(url)),
    },
    "docker-cert-path": {
      placeholder: "DIR",
      help: "folder with ca.pem, cert.pem and key.pem for an engine that wants TLS",
      grants: (folder) => folder === undefined ? {} : { read: [folder] },
    },
    "interval": {
      placeholder: "TIME",
      help: "time from one reading of the engine to the next",
      parse: parseDurationMs,
      default: "5s",
    },
    "timeout": {
      placeholder: "TIME",
      help: "longest that one request to the engine may take",
      parse: parseDurationMs,
      default: "5s",
    },
    "concurrency": {
      placeholder: "N",
      help:
        `requests to the engine at once, at most (default ${MAX_CONCURRENCY}; 16 for Podman and Docker 25 or newer)`,
      parse: parseConcurrency,
    },
    "container-label": {
      placeholder: "NAME",
      help: "label of the containers to publish in docker_container_labels",
      repeatable: true,
    },
    "include": {
      placeholder: "REGEXP",
      help: "only containers whose name matches",
      parse: parseRegExp,
    },
    "exclude": {
      placeholder: "REGEXP",
      help: "not the containers whose name matches",
      parse: parseRegExp,
    },
  },
  // dockerode's parts read it when they are loaded.
  ignoresEnvironment: true,
} as const satisfies Manifest;

function parseConcurrency(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > 1000) throw new RangeError("must be 1 to 1000");
  return number;
}

function parseRegExp(text: string): RegExp {
  try {
    return new RegExp(text, "u");
  } catch (cause) {
    const [, why = "it does not parse"] = /: ([^:]+)$/.exec(cause instanceof Error ? cause.message : "") ??
      [];
    throw new TypeError(`must be a regular expression (${why})`, { cause });
  }
}
