# What there is: make help
.DEFAULT_GOAL := help
SHELL := /bin/bash
export GOFLAGS := -buildvcs=false
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
STATIC := CGO_ENABLED=0 go build -ldflags "-s -w -X main.version=$(VERSION)"
# The race detector needs a C compiler; without one the tests run without it, and say so.
RACE := $(if $(shell command -v $$(go env CC)),-race)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: build
build: ## the program, in build/caprice
	$(STATIC) -o build/caprice ./cmd/caprice

.PHONY: test
test: cluster ## every test there is, on a real control plane where it matters
	$(if $(RACE),,@echo "No C compiler: the tests run without the race detector.")
	TEST_CLUSTER=$$(test/cluster/build) go test $(RACE) -count=1 -timeout 20m ./...

.PHONY: cluster
cluster: ## the test cluster's binary; the first build takes 6 to 9 minutes on two cores
	@test/cluster/build > /dev/null

.PHONY: lint
lint: ## gofmt and go vet
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	go vet ./...
