# The executable, which is any of the exporters; the first argument names one:
#
#     docker build --tag worker-exporters .
#     docker buildx build --platform linux/amd64,linux/arm64 --tag worker-exporters .
#     docker run worker-exporters cpu --help
#
# The base images can be replaced, for a network with a registry of its own.
ARG DENO_IMAGE=docker.io/denoland/deno:debian-2.9.6
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:latest
ARG BUSYBOX_IMAGE=docker.io/library/busybox:1.37-musl
# Set by BuildKit; the older builder needs --build-arg BUILDPLATFORM=linux/amd64.
ARG BUILDPLATFORM

FROM --platform=$BUILDPLATFORM ${DENO_IMAGE} AS build
WORKDIR /src
COPY deno.json deno.lock ./
COPY npm-only npm-only
COPY scripts scripts
COPY lib lib
COPY exporters exporters
ARG TARGETARCH COMMIT
RUN case $TARGETARCH in arm64) target=aarch64 ;; *) target=x86_64 ;; esac && \
    COMMIT=$COMMIT deno task compile --target=$target-unknown-linux-gnu && \
    mv dist/$target-unknown-linux-gnu/worker-exporters /

FROM ${BUSYBOX_IMAGE} AS busybox

FROM ${BASE_IMAGE}
# For the health check: one static program.
COPY --from=busybox /bin/busybox /bin/busybox
COPY --from=build /worker-exporters /worker-exporters
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=65536
USER 65532:65532
ENTRYPOINT ["/worker-exporters"]
