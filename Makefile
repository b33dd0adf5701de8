# What there is: make help
.DEFAULT_GOAL := help
SHELL := /bin/bash
export GOFLAGS := -buildvcs=false
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
STATIC := CGO_ENABLED=0 go build -ldflags "-s -w -X main.version=$(VERSION)"
# The race detector needs a C compiler; without one the tests run without it, and say so.
RACE := $(if $(shell command -v $$(go env CC)),-race)

TOOL := CGO_ENABLED=0 go tool -modfile=tools/go.mod

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: build
build: ## the program, in build/caprice, with the names by which kubectl finds it beside
	$(STATIC) -o build/caprice ./cmd/caprice
	@cd build && ln -sf caprice kubectl-caprice && ln -sf caprice kubectl_complete-caprice

.PHONY: test
test: cluster test-deps tools ## every test there is, on a real control plane where it matters
	$(if $(RACE),,@echo "No C compiler: the tests run without the race detector.")
	go test $(RACE) -count=1 -timeout 20m $$(go list ./... | grep -v /test)
	@# The image has the zones that Go brings: rules in place of lists of changes.
	ZONEINFO=$$(go env GOROOT)/lib/time/zoneinfo.zip go test $(RACE) -count=1 -timeout 5m ./calendar/...
	@# Of those that bring up clusters one package at a time: two leave neither the time that its leases want.
	TEST_CLUSTER=$$(test/cluster/build) PATH="$$(test/deps):$$PATH" go test $(RACE) -p 1 -count=1 -timeout 45m ./test/...

.PHONY: faults
faults: cluster tools ## each fault at each request of a kill, leaders that end, halts: at full size, with limits on times
	@go test -c -o build/faults.test ./test/faults
	@TEST_CLUSTER=$$(test/cluster/build) FAULTS=full build/faults.test -test.timeout 60m

.PHONY: e2e
e2e: ## the chart and an image on the cluster that KUBECONFIG names: make e2e IMAGE=name:tag
	IMAGE=$(IMAGE) go test -tags e2e -count=1 -v -timeout 20m ./test/e2e

.PHONY: cluster
cluster: ## the test cluster's binary; the first build takes 6 to 9 minutes on two cores
	@test/cluster/build > /dev/null

.PHONY: test-deps
test-deps: ## the Prometheus that tests stand Caprice beside: Debian's package, unpacked in the cache
	@test/deps > /dev/null

.PHONY: tools
tools: ## the tools that tests run, built once: tests that run side by side would each build them
	@$(TOOL) helm version > /dev/null
	@$(TOOL) controller-gen --version > /dev/null

.PHONY: lint
lint: cluster ## gofmt, go vet, staticcheck, helm lint and govulncheck
	@files=$$(git ls-files -co --exclude-standard '*.go') && test -n "$$files" && unformatted=$$(gofmt -l $$files) && \
	test -z "$$unformatted" || { echo "gofmt would change, or git could not name the files: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags e2e ./test/e2e
	cd test/cluster && CGO_ENABLED=0 go vet .
	$(TOOL) staticcheck ./...
	$(TOOL) helm lint --strict helm/caprice
	@answer=$$($(TOOL) govulncheck ./... 2>&1) && echo "$$answer" || case "$$answer" in \
	  *"fetching vulnerabilities"*) echo "govulncheck: NOT CHECKED, its database cannot be reached: $${answer##*: }";; \
	  *) echo "$$answer"; exit 1;; esac

.PHONY: generate
generate: ## deep copies and the chart's CRDs, from the types in api
	$(TOOL) controller-gen object crd paths=./api/... output:crd:dir=helm/caprice/files/crds

.PHONY: docs
docs: ## the tables and pictures that are made from code, and what stories of the command line without a cluster expect
	UPDATE_README=1 UPDATE_STORIES=1 go test ./cmd/caprice ./report ./test ./calendar/holidays
	UPDATE_README=1 go test -run Picture ./chaos

.PHONY: helm
helm: ## helm, as the tests use it, in build/helm
	CGO_ENABLED=0 go build -modfile=tools/go.mod -o build/helm helm.sh/helm/v4/cmd/helm

.PHONY: demo
demo: build cluster tools ## the main job on a cluster of its own, in two minutes
	@TEST_CLUSTER=$$(test/cluster/build) go run ./test/demo

# What bench and soak measure: so many Deployments of PODS pods each, RATE kills a second, the share of them that opt in.
WORKLOADS ?= 1000
PODS ?= 2
OPTED_IN ?= 1.0
KILLS ?= 1000
SOAK ?= 1h
.PHONY: bench
bench: build cluster ## speed, size and requests beside a bare loop: make bench WORKLOADS=5000 PODS=2 RATE=20 OPTED_IN=1.0 KILLS=1000
	@CGO_ENABLED=0 go build -o build/bench ./test/bench
	@TEST_CLUSTER=$$(test/cluster/build) build/bench -workloads $(WORKLOADS) -pods $(PODS) -rate $(or $(RATE),20) -opted-in $(OPTED_IN) -kills $(KILLS)

.PHONY: soak
soak: build cluster ## an hour of kills, in which nothing may be missed or done twice, and how memory grows: make soak SOAK=2m RATE=5
	@CGO_ENABLED=0 go build -o build/bench ./test/bench
	@TEST_CLUSTER=$$(test/cluster/build) build/bench -soak $(SOAK) -workloads $(WORKLOADS) -pods $(PODS) -rate $(or $(RATE),5)

RECORDS ?= 150000
PER_DAY ?= 5000
.PHONY: history
history: build cluster ## the room and the time that records of many days take: make history RECORDS=150000 PER_DAY=5000
	@CGO_ENABLED=0 go build -o build/bench ./test/bench
	@TEST_CLUSTER=$$(test/cluster/build) build/bench -records $(RECORDS) -per-day $(PER_DAY)

# The commit that benchstat compares with.
BASE ?= HEAD~1
.PHONY: benchstat
benchstat: ## the Go benchmarks of the hot paths, at another commit and here: make benchstat BASE=HEAD~1
	@rm -rf build/base && git worktree prune && git worktree add -q --detach build/base $(BASE)
	@for at in build/base .; do (cd $$at && go test -run '^$$' -bench . -benchmem -count 6 -cpu 1 ./chaos ./kubernetes/...) > build/bench-$$([ $$at = . ] && echo here || echo base).txt || exit 1; done
	@git worktree remove --force build/base
	@$(TOOL) benchstat build/bench-base.txt build/bench-here.txt

.PHONY: image
image: ## an image by the name of IMAGE, with docker, podman or buildah; of another machine's kind by PLATFORM=linux/amd64, say, where QEMU emulates it
	@test -n "$(IMAGE)" || { echo "want IMAGE=name:tag"; exit 1; }
	@for tool in docker podman buildah; do $$tool info > /dev/null 2>&1 && exec $$tool build -t $(IMAGE) $(if $(PLATFORM),--platform $(PLATFORM)) --build-arg VERSION=$(VERSION) .; done; \
	echo "want docker, podman or buildah, on the PATH and running"; exit 1

.PHONY: dist
dist: ## the command line for linux, macOS and windows, in dist/, also as a plugin of kubectl
	@set -e; for os in linux darwin windows; do for arch in amd64 arm64; do \
	  suffix=; if [ $$os = windows ]; then suffix=.exe; fi; echo "dist/caprice-$$os-$$arch$$suffix"; \
	  GOOS=$$os GOARCH=$$arch $(STATIC) -trimpath -o dist/caprice-$$os-$$arch$$suffix ./cmd/caprice; \
	  ln -f dist/caprice-$$os-$$arch$$suffix dist/kubectl-caprice-$$os-$$arch$$suffix; done; done
