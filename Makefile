# SPDX-License-Identifier: Apache-2.0
# `make run` builds and starts the server; `make test` tests it; `make help` lists the rest.

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
BUILD := .build
RELEASE := $(BUILD)/release
EXAMPLES := $(BUILD)/examples
GOARCH := $(subst x86_64,amd64,$(subst aarch64,arm64,$(shell uname -m)))
# Programs of which a later version of this file may install more: each is installed when it was built.
PROGRAMS := grafana grafana-cli grafana-plugin grafana-sign
# Narrows the tests: make test FILTER=FrameTests
FILTER ?=
TEST_OPTIONS := --disable-xctest $(if $(FILTER),--filter $(FILTER))
# Tests that run at once. Swift Testing would begin all of them together, and their time limits with them.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 6
# How long each fuzzer runs, in seconds.
FUZZ_SECONDS ?= 60
# How long chaos lasts.
CHAOS_MINUTES ?= 10
# The runner finds the sanitizer's libraries without an environment.
TSAN = --sanitize thread -Xlinker --export-dynamic -Xlinker $(CURDIR)/.build-tsan/mutex_edges.o \
    -Xlinker -rpath -Xlinker $(abspath $(dir $(realpath $(shell command -v $(SWIFT))))/../lib/swift/linux) \
    --scratch-path .build-tsan
HEADERS := $(sort $(shell find include/grafana -name '*.h'))
SWIFT_SOURCES := $(wildcard Package.swift Sources Libraries Tests Benchmarks examples Fuzz)

.DEFAULT_GOAL := build

## deps: install the Debian packages that are missing
deps:
	@packaging/install-dependencies.sh

# The Python packages that judge what we write; only tests need them.
test-environment: deps
	@packaging/make-test-environment.sh

## build: build the release programs, and the plugins that they run in processes of their own, into .build/release
build:
	$(SWIFT) build -c release --static-swift-stdlib
	@packaging/make-builtin-plugins.sh $(GOARCH) release

## run: build, then start the server on the files of this folder
run: deps build
	$(RELEASE)/grafana server --homepath .

## test: build and run every test (FILTER=name: some of them)
test: deps test-environment examples peers
	GRAFANA_BENCHMARKS=1 $(SWIFT) build --build-tests
	@packaging/make-builtin-plugins.sh $(GOARCH)
	@packaging/run-tests.sh $(SWIFT) test --skip-build $(TEST_OPTIONS)

## soak: let 500 clients ask for a minute while plugins are reloaded
soak: deps
	$(SWIFT) build --build-tests
	LONG=1 $(SWIFT) test --skip-build --disable-xctest --filter EndToEndTests.EndToEnd/LoadTests

## chaos: kill, stop, hang, flood and corrupt plugins under load for CHAOS_MINUTES (10)
chaos: deps examples peers
	$(SWIFT) build --build-tests
	CHAOS_SECONDS=$$(( $(CHAOS_MINUTES) * 60 )) $(SWIFT) test --skip-build --disable-xctest \
	    --filter EndToEndTests.EndToEnd/ChaosTests

## lint: check the format of Swift sources, and that each header compiles alone as C11 and C++17
lint:
	$(SWIFT) format lint --strict -r $(SWIFT_SOURCES)
	@for header in $(HEADERS); do \
	    for language in "$(CC) -x c -std=c11" "$(CXX) -x c++ -std=c++17"; do \
	        echo "#include \"$${header#include/}\"" | $$language -Iinclude -Wall -Wextra -Wpedantic -Werror \
	            -fsyntax-only - || exit 1; \
	    done; \
	done
	@echo "lint: $(words $(HEADERS)) headers compile alone as C11 and C++17"
	@abi/generate.py --check

## format: format the Swift sources in place
format:
	$(SWIFT) format format -i -p -r $(SWIFT_SOURCES)

## abi-check: compare the plugin ABI with every released baseline
abi-check:
	@abi/check.sh

## examples: build the example plugins into .build/examples
examples: $(patsubst examples/plugins/%/Makefile,example-c/%,$(wildcard examples/plugins/*-c/Makefile)) \
    $(patsubst examples/plugins/%/Package.swift,example-swift/%,$(wildcard examples/plugins/*-swift/Package.swift)) \
    $(patsubst examples/plugins/%/Makefile,example-python/%,$(wildcard examples/plugins/*-python/Makefile))

example-c/%:
	@$(MAKE) --no-print-directory -C examples/plugins/$* OUT=$(CURDIR)/$(EXAMPLES)/$*

# The library lib<name>.so of the package becomes <name>_linux_<arch>.so, <name> as plugin.json says.
example-swift/%:
	$(SWIFT) build -c release --package-path examples/plugins/$* --scratch-path $(BUILD)/examples-swift/$* \
	    --disable-local-rpath
	@packaging/copy-plugin.sh examples/plugins/$* $(BUILD)/examples-swift/$*/release $(EXAMPLES)/$* $(GOARCH)

## builtin-plugins: link the built-in data sources as shared libraries into .build/builtin-plugins
builtin-plugins: deps
	@packaging/make-builtin-plugins.sh $(GOARCH)

# Python plugins run in the Python environment of the tests.
example-python/%: test-environment
	@$(MAKE) --no-print-directory -C examples/plugins/$* OUT=$(CURDIR)/$(EXAMPLES)/$* \
	    PYTHON=$(CURDIR)/$(BUILD)/test-venv/bin/python

## peers: build the Go plugin and the Go host of tests and benchmarks into .build/peers
peers:
	Tests/Peers/go-plugin/build.sh $(BUILD)/peers

## protos: generate the Swift messages of Sources/GoPlugin from its .proto files
protos:
	Sources/GoPlugin/Protos/generate.sh

## bench: measure us and our peers side by side
bench: deps test-environment build examples peers
	Benchmarks/run.sh

## test-asan: run the tests under AddressSanitizer and LeakSanitizer
test-asan: deps test-environment examples peers
	SWIFT_BACKTRACE=enable=no $(SWIFT) test --sanitize address --scratch-path .build-asan $(TEST_OPTIONS)

## test-tsan: run the tests under ThreadSanitizer (ten times slower: FILTER=PluginHostTests)
test-tsan: deps test-environment examples peers
	mkdir -p .build-tsan
	clang -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -c Tests/Sanitizers/mutex_edges.c -o .build-tsan/mutex_edges.o
	SWIFT_BACKTRACE=enable=no $(SWIFT) build --build-tests $(TSAN)
	TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/thread.supp SWIFT_BACKTRACE=enable=no \
	    $(SWIFT) test --skip-build $(TSAN) $(TEST_OPTIONS)

## fuzz: run every fuzzer for FUZZ_SECONDS
fuzz: deps
	@FUZZ_SECONDS=$(FUZZ_SECONDS) Fuzz/run.sh

## install: install programs, headers, pkg-config file, man pages, completions and conf (PREFIX, DESTDIR)
install:
	@test -x $(RELEASE)/grafana || { echo "install: run 'make build' first" >&2; exit 1; }
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install.sh $(RELEASE) $(PROGRAMS)

## clean: remove everything that was built
clean:
	rm -rf $(BUILD) .build-asan .build-tsan examples/plugins/*/dist

## help: list these targets
help:
	@sed -n 's/^## //p' Makefile

.PHONY: deps test-environment build run test soak chaos lint format abi-check examples builtin-plugins peers protos bench test-asan test-tsan fuzz install clean help
