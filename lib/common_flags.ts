/**
 * The flags that every exporter has.
 *
 * @module
 */
import { LOG_FORMATS, LOG_LEVELS } from "./log.ts";
import { type Flags, oneOf, parseHost, parseListenAddress, parsePort } from "./options.ts";
import { webConfigFiles } from "./web_config_files.ts";

/** Flags by name. */
export const COMMON_FLAGS = {
  "port": {
    placeholder: "N",
    help: "TCP port to listen on; 0 takes a free one and prints it",
    parse: parsePort,
  },
  "host": { placeholder: "ADDR", help: "address to listen on (default 0.0.0.0)", parse: parseHost },
  "web.listen-address": {
    placeholder: "HOST:PORT",
    help: "the same in one, in place of --port and --host",
    parse: parseListenAddress,
    repeatable: true,
  },
  "web.telemetry-path": {
    placeholder: "PATH",
    help: "path of the metrics page",
    parse: parsePath,
    default: "/metrics",
  },
  "web.config.file": {
    placeholder: "FILE",
    help: "TLS, basic auth and headers, in the format of Prometheus's own exporters",
    grants: (path) => path === undefined ? {} : { read: [path, ...webConfigFiles(path)] },
  },
  "log.level": {
    placeholder: "LEVEL",
    help: LOG_LEVELS.join(", "),
    parse: oneOf(LOG_LEVELS),
    default: "info",
  },
  "log.format": {
    placeholder: "FORMAT",
    help: LOG_FORMATS.join(", "),
    parse: oneOf(LOG_FORMATS),
    default: "logfmt",
  },
  "version": { help: "print the version and exit" },
  "help": { help: "print this and exit" },
} as const satisfies Flags;

function parsePath(text: string): string {
  if (!/^\/[\w./-]+$/.test(text) || /^\/(?:health|page\/.*|-\/.*)$/.test(text)) {
    throw new RangeError('must be a path such as "/metrics" that is not taken by another page');
  }
  return text;
}
