# make help lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory

export CGO_ENABLED ?= 0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/memsup
LINT    := $(CACHE)/tools/golangci-lint
FUZZTIME ?= 10s
PREFIX  ?= /usr

.PHONY: help build test check lint unit e2e core test-memory fuzz bench demo guest-shell install clean setup

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

build: ## static binaries into bin/
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/... ./test/guest

setup:
	@scripts/setup

test: setup ## everything: checks, then the end-to-end tests in the guests
	@scripts/test

check: ## format, vet, lint with the import boundaries, unit tests with -race
	@scripts/setup lint
	@$(MAKE) lint unit

lint:
	@test -z "$$(gofmt -l cmd internal test)" || { echo 'not gofmt-ed:'; gofmt -l cmd internal test; exit 1; }
	go vet ./...
	go vet -tags e2e ./test/e2e
	GOARCH=arm64 go build ./...
	$(LINT) run ./...

unit:
	CGO_ENABLED=1 go test -race ./...
	go test ./internal/api # every answer against the OpenAPI document; see document_race_test.go

e2e: build ## the end-to-end tests in the guest (GUEST=bookworm for the other one, NATIVE=1 on this host, RUN=pattern)
	@scripts/e2e

test-memory: build ## the seven scenario groups of memory management, as a table
	@scripts/test-memory

fuzz: ## every fuzz target for FUZZTIME (10s)
	@scripts/fuzz $(FUZZTIME)

bench: build ## the benchmarks of docs/benchmarks.md, in the guest
	@scripts/bench

demo: build ## five services under load in the guest, one driven over its marks; http://127.0.0.1:3007 until Ctrl-C
	@scripts/demo

guest-shell: build ## a root shell in the guest
	@bin/guest shell

install: build ## install on this host (as root; DESTDIR and PREFIX are heeded)
	install -Dm755 bin/memsupd $(DESTDIR)$(PREFIX)/sbin/memsupd
	install -Dm755 bin/memsupctl $(DESTDIR)$(PREFIX)/bin/memsupctl
	sed 's,/usr/sbin/memsupd,$(PREFIX)/sbin/memsupd,' units/memsupd.service | install -Dm644 /dev/stdin $(DESTDIR)/etc/systemd/system/memsupd.service
	install -Dm644 -t $(DESTDIR)/etc/systemd/system units/memsupd.socket
	install -Dm644 contrib/memsupd.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog/memsupd.catalog
	bin/memsupctl completion bash | install -Dm644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/memsupctl
	bin/memsupctl completion zsh | install -Dm644 /dev/stdin $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_memsupctl
	test -e $(DESTDIR)/etc/memsupd/memsupd.yaml || install -Dm644 contrib/memsupd.yaml $(DESTDIR)/etc/memsupd/memsupd.yaml

clean: ## what was built; the guest images stay
	rm -rf bin
