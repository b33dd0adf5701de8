FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /caprice ./cmd/caprice

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="caprice" org.opencontainers.image.version="${VERSION}" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /caprice /caprice
USER 65532:65532
ENTRYPOINT ["/caprice"]
