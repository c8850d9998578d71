# The build needs no cgo, so the result is one static file. Pin both images by digest where you build for production.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# The time zones are in the binary as well, so that it runs on any base.
RUN CGO_ENABLED=0 go build -trimpath -tags timetzdata -ldflags "-s -w -X main.version=${VERSION}" -o /out/bot ./cmd/bot \
 && mkdir -p /out/data

# Distroless static brings CA certificates and time zones, and neither a shell nor a package manager.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/bot /usr/local/bin/bot
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# Only /data is written to: run it with a read-only root file system and a volume there.
WORKDIR /data
VOLUME ["/data"]
ENV ROOTCHECK_DATABASE=/data/rootcheck.db ROOTCHECK_HEALTH_FILE=/data/health TMPDIR=/data \
    AWS_EC2_METADATA_V1_DISABLED=true
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/bot", "health"]
ENTRYPOINT ["/usr/local/bin/bot"]
CMD ["run"]
