/**
 * What dockerode would load at its import and this exporter never calls: SSH transport, BuildKit sessions over
 * gRPC, the protocol of their progress, tar archives for builds. That is most of dockerode's 65 packages.
 *
 * A bundle leaves them out too, as `--external`.
 *
 * @module
 */

/** Names of the packages. */
export const UNUSED_PACKAGES: readonly string[] = [
  "ssh2",
  "@grpc/grpc-js",
  "@grpc/proto-loader",
  "protobufjs",
  "tar-fs",
  "@balena/dockerignore",
];
