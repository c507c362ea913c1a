# Everything one does in this checkout. The tools are installed below .venv/, pinned, by `bootstrap`; nothing is written
# anywhere else but cargo's own download cache, and browsers' temporary files while a test runs.

# The processor the functions are built for: this machine's, in AWS's words.
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# The processor as Rust's compiler names it: a local run's programs are built for this machine.
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
TOOLS := $(CURDIR)/.venv/sam/bin
export PATH := $(TOOLS):$(CURDIR)/.venv/zig/bin:$(PATH)
# The SAM CLI's and the linker's own files.
export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/target/sam
export CARGO_ZIGBUILD_CACHE_DIR := $(CURDIR)/target/zig
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/target/zig

LOCAL := $(CARGO_TARGET_DIR)/debug/local
# For `demo` and `dev`: the functions and the harness, not optimized, in one target directory, so that what both need is compiled once.
UNOPTIMIZED := $(CARGO_TARGET_DIR)/$(HOST)/debug/local

.DEFAULT_GOAL := help
.PHONY: help demo dev test check build docs invoke soak bench screenshots bootstrap clean

help: ## Show this
	@awk -F ' *##? ' '/^[a-z]+:.*## / { sub(/:.*/, "", $$1); printf "make %-11s %s\n", $$1, $$NF }' $(MAKEFILE_LIST)

demo: build-unoptimized ## Run the system on this machine, send events through it, show what arrived, and end
	@$(UNOPTIMIZED) demo

dev: local-commands build-unoptimized ## The same, and stay until Ctrl-C, with addresses and commands to go on by hand
	@$(UNOPTIMIZED) dev

test: ## Run all checks and all tests, end to end as well (the first time takes a while)
	@tools/bootstrap.sh
	@MAKE=$(MAKE) tools/run-tests.sh

check: ## Format, lints, docs, dependencies, licences, template, circles of files
	@tools/bootstrap.sh sam site
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
	@tools/check-dependencies.sh
	$(TOOLS)/sam validate --lint --template-file template.yaml --region us-east-1
	$(TOOLS)/python tools/template_test.py
	$(TOOLS)/python tools/circles.py
	$(TOOLS)/python tools/circles_test.py
	$(TOOLS)/python tools/check_docs.py
	$(TOOLS)/python tools/check_docs_test.py
	@$(MAKE) --no-print-directory docs

build: ## Build the functions for AWS, optimized, with `sam build`; ARCH=arm64 or x86_64
	@tools/bootstrap.sh sam zig
	@echo "building the functions for $(ARCH) (the first time takes some minutes) ..."
	@# All at once, side by side; what is left for SAM, one after the other, is to pack them.
	@cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64)
	@$(TOOLS)/sam build --template-file template.yaml --parameter-overrides Architecture=$(ARCH)

# The same for a local run: quickly built, by this machine's own linker. It lies apart, so that nothing of it is deployed to AWS.
.PHONY: build-unoptimized
build-unoptimized: export CARGO_LAMBDA_COMPILER := cargo
build-unoptimized: export SAM_BUILD_MODE := debug
build-unoptimized:
	@echo "installing the tools and building (the first time takes about five minutes and 4 GB) ..."
	@$(MAKE) --no-print-directory -j2 local-tools local-programs
	@$(TOOLS)/sam build --template-file template.yaml --build-dir .aws-sam/unoptimized --parameter-overrides Architecture=$(ARCH)
	@mkdir -p target/bin && ln -sf $(UNOPTIMIZED) target/bin/local

.PHONY: local-tools local-programs local-commands
# What the documented commands use, beside a running `make dev`.
local-commands:
	@tools/bootstrap.sh awscli
local-tools:
	@tools/bootstrap.sh sam ministack
# With the same options as `cargo lambda build` has, which then finds everything built.
local-programs:
	@cargo build --target $(HOST) --package wiring
	@cargo build --target $(HOST) --package harness

docs: ## Build the site of the documentation, with a search, into target/site
	@tools/bootstrap.sh site
	@.venv/site/bin/sphinx-build --quiet --fail-on-warning --conf-dir tools/site --doctree-dir target/site-trees . target/site
	@echo "open target/site/docs/index.html"

invoke: build ## Run every sample with `sam local invoke` against a running `make dev` (needs Docker)
	@$(TOOLS)/python tools/sam_local.py $(if $(FUNCTION),$(FUNCTION) $(EVENT))

soak: ## Play random schedules of everything that can go wrong: DURATION=<seconds>, or COUNT=<schedules>; SEED=<seed> plays one again
	@cargo build --quiet --workspace --example soak
	@$(CARGO_TARGET_DIR)/debug/examples/soak $(if $(SEED),seed $(SEED),$(if $(COUNT),count $(COUNT),$(or $(DURATION),60)))

# The parts of `bench` that need no deployment.
SOLITARY := engine calls capacity

bench: $(if $(filter $(SOLITARY),$(ONLY)),bench-$(ONLY),$(if $(ONLY),bench-deployed,bench-all)) ## Measure what a delivery costs, size and cold start of every function, memory, a hanging destination, a hostile account, bad neighbours, a rate limit, the pages; or ONLY=engine, memory, rate, hanging, hostile, neighbours, pages, calls, capacity

.PHONY: bench-all bench-engine bench-calls bench-capacity bench-deployed
# One part is measured even if another misses its bounds.
bench-all:
	@$(MAKE) --no-print-directory --keep-going bench-engine bench-deployed

# The functions are those that `build` made; the rest has the same profile.
bench-engine: build
	@cargo build --quiet --release --package engine --bins --examples
	@$(CARGO_TARGET_DIR)/release/engine $(CARGO_TARGET_DIR)/lambda $(CARGO_TARGET_DIR)/release/examples/hello

# Prints its table too. Built as the functions are: without optimization the processor times would mean nothing.
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

screenshots: build ## Take a picture of every page, in both themes, on a laptop and on a phone, into target/screenshots
	@tools/bootstrap.sh ministack browser
	@cargo build --workspace --all-features --bin local --example screenshots
	@$(LOCAL) run -- $(CARGO_TARGET_DIR)/debug/examples/screenshots

bootstrap: ## Install all tools below .venv/; every command installs those it needs by itself
	@tools/bootstrap.sh

clean: ## Remove everything that was built; the installed tools stay
	rm -rf target .aws-sam
