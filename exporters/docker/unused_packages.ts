/**
 * Keeps out what dockerode would load at its import and this exporter never calls: SSH transport, BuildKit
 * sessions over gRPC, tar archives for builds. That is most of dockerode's 65 packages; without them the
 * process is 8 MB smaller. To be imported before dockerode.
 *
 * A bundle must leave the same packages out, as `--external`: their names then meet this hook when it runs.
 * https://nodejs.org/api/module.html#moduleregisterhooksoptions
 *
 * @module
 */
import { registerHooks } from "node:module";

/** The packages that are never loaded. */
export const UNUSED_PACKAGES: readonly string[] = [
  "ssh2",
  "@grpc/grpc-js",
  "@grpc/proto-loader",
  "tar-fs",
  "@balena/dockerignore",
];

/** A module of Node's that is loaded anyway and does nothing at its import. */
const STAND_IN = "node:events";

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    UNUSED_PACKAGES.includes(specifier)
      ? { url: STAND_IN, format: "builtin", shortCircuit: true }
      : nextResolve(specifier, context),
});
