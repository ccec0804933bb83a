# Plinth. The two commands of the README are `make demo` and `make test`.
GO ?= go
# A first build is a fifth shorter without what only debuggers read, and without
# gin's MessagePack, which nobody speaks here. The program is the same.
export GOFLAGS = -tags=nomsgpack -gcflags=all=-dwarf=false -ldflags=-w
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: build demo test test-long lint bench biometrics interop postgres chromium node axe

build: ## the one binary, without cgo
	CGO_ENABLED=0 $(GO) build -o plinth ./cmd/plinth

demo: postgres build ## everything on this machine, with synthetic people
	./plinth demo --data ./data/demo

test: postgres chromium axe lint ## all tests, browser journeys included
	$(GO) test -timeout 20m ./...

test-long: postgres chromium ## race detector, the full crash matrix, every fuzz target for 20 s
	PLINTH_LONG=1 $(GO) test -race -timeout 60m ./...
	./bench/fuzz.sh 20s

lint:
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; [ -z "$$unformatted" ] || { echo "run gofmt on: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

bench: postgres build ## writes bench/results.json and prints a table
	./bench/run.sh

biometrics: build ## measures the engine: docs/biometrics/report (real prints by TESTDATA_DIR)
	./bench/biometrics.sh

interop: postgres node build ## independent clients against a running demo
	./bench/interop/run.sh

postgres:
	@command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; }

chromium:
	@command -v chromium >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; }

axe: ## the checker of accessibility; without npm the pages are not checked, save in CI
	@if command -v npm >/dev/null 2>&1; then cd bench/axe && npm install --no-fund --no-audit --no-package-lock --loglevel=error >/dev/null; \
		elif [ -n "$$CI" ]; then echo "axe: npm is missing"; exit 1; fi

node:
	@command -v npm >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nodejs npm; }
