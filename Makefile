# All commands of this checkout; `make` alone lists them. `bootstrap` installs the tools below .venv/, in pinned versions. Outside of
# the checkout, only cargo's download cache is written, and browsers' temporary files while a test runs.

# The processor that the functions are built for, as AWS names it: by default this machine's.
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# This machine's processor, as Rust's compiler names it: the programs of a local run are built for it.
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
TOOLS := $(CURDIR)/.venv/sam/bin
export PATH := $(TOOLS):$(CURDIR)/.venv/zig/bin:$(PATH)
# Directories for the SAM CLI's and the linker's own files.
export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/target/sam
export CARGO_ZIGBUILD_CACHE_DIR := $(CURDIR)/target/zig
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/target/zig

LOCAL := $(CARGO_TARGET_DIR)/debug/local
# For `demo` and `dev`: the functions and the harness, not optimized. They share a target directory, so that what both need is compiled
# only once.
UNOPTIMIZED := $(CARGO_TARGET_DIR)/$(HOST)/debug/local

.DEFAULT_GOAL := help
.PHONY: help demo dev test test-upgrade check build docs invoke smoke soak fuzz bench screenshots bootstrap clean

help: ## List all commands
	@awk -F ' *##? ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "make %-12s %s\n", $$1, $$NF }' $(MAKEFILE_LIST)

demo: build-unoptimized ## Run the system on this machine, send events through it, show which deliveries arrived, and stop
	@$(UNOPTIMIZED) demo

dev: local-commands build-unoptimized ## Like demo, but keep running until Ctrl-C, and show addresses and commands to try
	@$(UNOPTIMIZED) dev

test: ## Run all checks and all tests, including end-to-end tests (the first run takes a while)
	@tools/bootstrap.sh
	@MAKE=$(MAKE) tools/run-tests.sh

test-upgrade: build-unoptimized ## Upgrade a running stack from the last release to this version under load, and roll it back; another commit: FROM=<commit>
	@cargo build --quiet --workspace --all-features --bin local --example upgrade
	@tools/test-upgrade.sh $(FROM)

check: ## Check format, lints, docs, dependencies, licences, the template, and circular use of files
	@tools/bootstrap.sh sam site
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
	@tools/check-dependencies.sh
	$(TOOLS)/sam validate --lint --template-file template.yaml --region us-east-1
	$(TOOLS)/python tools/template_test.py
	$(TOOLS)/python tools/alarms_test.py
	$(TOOLS)/python tools/aliases_test.py
	$(TOOLS)/python tools/release_test.py
	$(TOOLS)/python tools/circles.py
	$(TOOLS)/python tools/circles_test.py
	$(TOOLS)/python tools/check_docs.py
	$(TOOLS)/python tools/check_docs_test.py
	@$(MAKE) --no-print-directory docs

build: ## Build the functions for AWS, optimized, with `sam build`; for another processor: ARCH=arm64 or ARCH=x86_64
	@tools/bootstrap.sh sam zig
	@echo "building the functions for $(ARCH) (the first time takes some minutes) ..."
	@# This builds all functions in parallel. SAM then only packs them, one after another.
	@cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64)
	@$(TOOLS)/sam build --template-file template.yaml --parameter-overrides Architecture=$(ARCH)

# The same for a local run: built quickly, with this machine's own linker. The result is in another directory, so that it is never
# deployed to AWS.
.PHONY: build-unoptimized
build-unoptimized: export CARGO_LAMBDA_COMPILER := cargo
build-unoptimized: export SAM_BUILD_MODE := debug
build-unoptimized:
	@echo "installing the tools and building (the first time takes about five minutes and 4 GB) ..."
	@$(MAKE) --no-print-directory -j2 local-tools local-programs
	@$(TOOLS)/sam build --template-file template.yaml --build-dir .aws-sam/unoptimized --parameter-overrides Architecture=$(ARCH)
	@mkdir -p target/bin && ln -sf $(UNOPTIMIZED) target/bin/local

.PHONY: local-tools local-programs local-commands
# The tools that the documentation's commands use, beside a running `make dev`.
local-commands:
	@tools/bootstrap.sh awscli
local-tools:
	@tools/bootstrap.sh sam ministack
# The options are those of `cargo lambda build`, so that it finds everything built.
local-programs:
	@cargo build --target $(HOST) --package wiring
	@cargo build --target $(HOST) --package harness

docs: ## Build the documentation as a site with a search, into target/site
	@tools/bootstrap.sh site
	@.venv/site/bin/sphinx-build --quiet --fail-on-warning --conf-dir tools/site --doctree-dir target/site-trees . target/site
	@echo "open target/site/docs/index.html"

invoke: build ## Run every sample event with `sam local invoke` against a running `make dev` (needs Docker)
	@$(TOOLS)/python tools/sam_local.py $(if $(FUNCTION),$(FUNCTION) $(EVENT))

smoke: ## Check a deployed stack from end to end: STACK=<name> URL=<public address that leads to port PORT of this machine, by default 8787>
	@test -n "$(STACK)" -a -n "$(URL)" || { echo "say which stack and which address: make smoke STACK=synchub-webhooks URL=https://abc.example" >&2; exit 2; }
	@tools/bootstrap.sh sam
	@$(TOOLS)/python tools/smoke.py "$(STACK)" "$(URL)" $(if $(PORT),--port $(PORT))

soak: ## Test random sequences of failures: DURATION=<seconds> or COUNT=<sequences>; SEED=<seed> repeats one
	@cargo build --quiet --workspace --example soak
	@$(CARGO_TARGET_DIR)/debug/examples/soak $(if $(SEED),seed $(SEED),$(if $(COUNT),count $(COUNT),$(or $(DURATION),60)))

fuzz: ## Fuzz the parsers that meet the outside: TARGET=<name> for one of them, DURATION=<seconds> for each (300)
	@tools/bootstrap.sh fuzz
	@tools/fuzz.sh $(or $(DURATION),300) $(TARGET)

# The parts of `bench` that need no deployment.
SOLITARY := engine calls capacity

bench: $(if $(filter $(SOLITARY),$(ONLY)),bench-$(ONLY),$(if $(ONLY),bench-deployed,bench-all)) ## Measure what a delivery costs, size, cold start, memory, and how accounts delay each other; one part: ONLY=engine, memory, rate, hanging, hostile, neighbours, pages, calls or capacity

.PHONY: bench-all bench-engine bench-calls bench-capacity bench-deployed
# One part is measured even if another misses its bounds.
bench-all:
	@$(MAKE) --no-print-directory --keep-going bench-engine bench-deployed

# The functions are those that `build` made; the rest has the same profile. PART=<part> measures one part of it.
bench-engine: build
	@cargo build --quiet --release --package engine --bins --examples
	@$(CARGO_TARGET_DIR)/release/engine $(CARGO_TARGET_DIR)/lambda $(CARGO_TARGET_DIR)/release/examples/hello $(PART)

# It also prints its table. It is optimized like the functions, because the processor times would mean nothing otherwise.
bench-calls:
	@cargo build --quiet --release --package adapters --example calls
	@$(CARGO_TARGET_DIR)/release/examples/calls > $(CARGO_TARGET_DIR)/costs.json
	@cp $(CARGO_TARGET_DIR)/costs.json tests/model/costs.json && cat tests/model/costs.json

bench-capacity:
	@cargo build --quiet --workspace --example capacity
	@$(CARGO_TARGET_DIR)/debug/examples/capacity

bench-deployed: build
	@tools/bootstrap.sh ministack dynoxide
	@cargo build --workspace --all-features --bin local --example bench
	@$(LOCAL) run -- $(CARGO_TARGET_DIR)/debug/examples/bench $(ONLY)

screenshots: build ## Take pictures of all pages, in both themes, on a laptop and on a phone, into target/screenshots
	@tools/bootstrap.sh ministack browser
	@cargo build --workspace --all-features --bin local --example screenshots
	@$(LOCAL) run -- $(CARGO_TARGET_DIR)/debug/examples/screenshots

bootstrap: ## Install all tools below .venv/ at once; otherwise each command installs the tools that it uses
	@tools/bootstrap.sh

clean: ## Remove everything that was built, but not the installed tools
	rm -rf target .aws-sam
