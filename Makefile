# Everything one does in this checkout. The tools are installed below .venv/, pinned, by `bootstrap`; nothing is written
# anywhere else but cargo's own download cache, and browsers' temporary files while a test runs.

# The processor the functions are built for: this machine's, in AWS's words.
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)

export CARGO_TARGET_DIR ?= $(CURDIR)/target
TOOLS := $(CURDIR)/.venv/sam/bin
export PATH := $(TOOLS):$(PATH)
# The SAM CLI's and the linker's own files.
export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/target/sam
export CARGO_ZIGBUILD_CACHE_DIR := $(CURDIR)/target/zig
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/target/zig

# The table that `bench` measures pages on: see tests/bench/table.rs.
DYNOXIDE := 3.2.0

LOCAL := $(CARGO_TARGET_DIR)/debug/local

.DEFAULT_GOAL := help
.PHONY: help demo dev test check build invoke soak bench screenshots bootstrap clean

help: ## Show this
	@awk -F ' *##? ' '/^[a-z]+:.*## / { sub(/:.*/, "", $$1); printf "make %-11s %s\n", $$1, $$NF }' $(MAKEFILE_LIST)

demo: build ## Run the system on this machine, send events through it, show what arrived, and end
	@cargo build --workspace --bin local
	@$(LOCAL) demo

dev: build ## The same, and stay until Ctrl-C, with addresses and commands to go on by hand
	@cargo build --workspace --bin local
	@$(LOCAL) dev

test: bootstrap ## Run all checks and all tests, end to end as well (the first time takes a while)
	@MAKE=$(MAKE) tools/run-tests.sh

check: bootstrap ## Format, lints, docs, dependencies, licences, template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
	@tools/check-dependencies.sh
	$(TOOLS)/sam validate --lint --template-file template.yaml --region us-east-1
	$(TOOLS)/python tools/template_test.py

build: bootstrap ## Build the functions and the template with `sam build`; ARCH=arm64 or x86_64
	@echo "building the functions for $(ARCH) (the first time takes some minutes) ..."
	@# All at once, side by side; what is left for SAM, one after the other, is to pack them.
	@cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64)
	@$(TOOLS)/sam build --template-file template.yaml --parameter-overrides Architecture=$(ARCH)

invoke: bootstrap ## Run every sample with `sam local invoke` against a running `make dev` (needs Docker)
	@$(TOOLS)/python tools/sam_local.py $(if $(FUNCTION),$(FUNCTION) $(EVENT))

soak: ## Play random schedules of everything that can go wrong: DURATION=<seconds>, or SEED=<seed> to play one again
	@cargo build --quiet --workspace --example soak
	@$(CARGO_TARGET_DIR)/debug/examples/soak $(if $(SEED),seed $(SEED),$(or $(DURATION),60))

bench: build ## Measure size and cold start of every function, a hanging destination, a rate limit, the pages; or ONLY=rate, hanging, pages
	@$(if $(ONLY),,$(TOOLS)/python tools/cold_start.py)
	@cargo install dynoxide-rs --version =$(DYNOXIDE) --locked --no-default-features --features cli,http-server,native-sqlite \
	  --root target/tools --target-dir target/tools/build
	@cargo build --workspace --all-features --bin local --example bench
	@$(LOCAL) run -- $(CARGO_TARGET_DIR)/debug/examples/bench $(ONLY)

screenshots: build ## Take a picture of every page, in both themes, on a laptop and on a phone, into target/screenshots
	@cargo build --workspace --all-features --bin local --example screenshots
	@$(LOCAL) run -- $(CARGO_TARGET_DIR)/debug/examples/screenshots

bootstrap: ## Install the tools below .venv/, if they are not there already
	@tools/bootstrap.sh

clean: ## Remove everything that was built; the installed tools stay
	rm -rf target .aws-sam
