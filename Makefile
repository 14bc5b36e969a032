# One target is one check, and one job of a build server. `make` alone lists them.

# Where rustup puts cargo, for a shell that was not told.
export PATH := $(PATH):$(HOME)/.cargo/bin
CARGO ?= cargo
HOST = $(shell rustc -vV | sed -n "s/^host: //p")
.DEFAULT_GOAL := help
.PHONY: help setup setup-build demo test fmt lint doc unit ui e2e browser storm test-rust loom asan fuzz counts counts-update sim race windows deny hack probes typos compile-time bench bench-quick clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what this machine lacks to build and test
	@tools/setup.sh

setup-build:
	@tools/setup.sh build

demo: setup-build ## thirteen daemons on a real database for ten seconds
	{ echo 'hello, everyone'; echo 'dev-updates: a line with a room goes to that room'; echo 'general: ready for review'; } \
		| $(CARGO) run --release --locked -p chatroom -- --watch . --for 10s

test: setup ## every check a change must pass
	@$(MAKE) --no-print-directory fmt
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory doc
	@$(MAKE) --no-print-directory test-rust
	@$(MAKE) --no-print-directory loom DEPTH=2
	@$(MAKE) --no-print-directory counts
	@echo 'All checks passed, but for what says NOT RUN above: formatting, lints, documentation, models of the concurrent cores, counts, and the unit, integration, compile-fail, documentation and process tests.'

fmt: ## formatting
	$(CARGO) fmt --all --check

lint: ## clippy, warnings are errors
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

doc: ## rustdoc, warnings are errors
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps

test-rust: ## every test, nothing else
	$(CARGO) test --locked --workspace --no-fail-fast

unit: ## only the tests inside the crates
	$(CARGO) test --locked --workspace --lib --bins

ui: ## only the compile-fail cases
	$(CARGO) test --locked -p tests --test ui

# At how many points threads are interrupted that could have gone on. All orders of two cost seconds, all of three minutes.
DEPTH ?= 3
loom: ## the concurrent cores in every order of their steps: make loom DEPTH=n
	LOOM_MAX_PREEMPTIONS=$(DEPTH) RUSTFLAGS='--cfg daemon_loom' CARGO_TARGET_DIR=target/loom \
		$(CARGO) test --locked -p daemon-core --lib -- models::

asan: ## events and codec under the address sanitizer (needs a nightly toolchain)
	@rustup run nightly rustc --version >/dev/null 2>&1 \
		|| { echo 'asan: needs a nightly toolchain; try: rustup toolchain install nightly --profile minimal' >&2; exit 1; }
	for tests in '-p daemon-core --test events' '-p daemon-ipc --lib'; do \
		LSAN_OPTIONS=suppressions=$(CURDIR)/tools/leaks.supp \
			RUSTFLAGS='-Zsanitizer=address' CARGO_TARGET_DIR=target/asan RUSTUP_TOOLCHAIN=nightly \
			$(CARGO) test --locked --target $(HOST) $$tests || exit; \
	done

SECONDS ?= 60
FUZZED = decode decode_encode_decode server
fuzz: ## codec and IPC server under a fuzzer and the address sanitizer: make fuzz SECONDS=n (needs cargo-fuzz and a nightly toolchain)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo 'fuzz: needs cargo-fuzz; try: cargo install cargo-fuzz' >&2; exit 1; }
	for target in $(FUZZED); do \
		mkdir -p fuzz/corpus/$$target || exit; \
		RUSTUP_TOOLCHAIN=nightly $(CARGO) fuzz run $$target fuzz/corpus/$$target fuzz/seeds -- \
			-max_total_time=$(SECONDS) -dict=fuzz/json.dict -timeout=20 || exit; \
	done

SEEDS ?= 10000
sim: ## random hosts with random faults: make sim SEEDS=n
	SEEDS=$(SEEDS) $(CARGO) test --locked --release -p daemon-core --test simulation

ROUNDS ?= 10000
race: ## starters that race for a lock, and kill -9: make race ROUNDS=n
	ROUNDS=$(ROUNDS) $(CARGO) test --locked -p tests --test instance

windows: ## the core, IPC, health and the command line on Windows, under Wine (needs mingw-w64 and wine64)
	CARGO=$(CARGO) tools/windows.sh -p daemon-core -p daemon-ipc -p daemon-health -p daemon-cli --no-fail-fast

counts: ## instructions and system calls of what must stay cheap, against their limits (needs valgrind, strace)
	CARGO=$(CARGO) tools/counts.py

counts-update: ## make what is counted now the limits
	CARGO=$(CARGO) tools/counts.py --update

e2e: ## only the tests that drive real processes
	$(CARGO) test --locked -p tests

browser: ## the status page in a real Chromium, wide and narrow, dark and light; pictures in target/browser (needs chromium)
	CARGO=$(CARGO) tools/browser.py

storm: ## a chatroom under storm and chaos, looked at from outside: make storm SECONDS=n
	SECONDS=$(SECONDS) $(CARGO) test --locked -p tests --test chatroom -- storm --nocapture

probes: ## HAProxy, monit, Prometheus, a collector and systemd's journal on real daemons (installs them, by apt and pip)
	@tools/setup.sh probes
	NOTHING_MISSING=1 ROTEL=$(CURDIR)/target/rotel/rotel/rotel-agent $(CARGO) test --locked -p tests --test probes

deny: ## licences, bans and sources of dependencies (needs cargo-deny)
	$(CARGO) deny --locked check bans licenses sources

hack: ## every feature by itself (needs cargo-hack)
	$(CARGO) hack check --locked --workspace --each-feature --no-dev-deps

typos: ## spelling (needs typos)
	typos

compile-time: ## what the macros cost to compile; rewrites docs/compile-time.md
	CARGO=$(CARGO) tools/compile-time.py

# Not locked: what daemon-core depends on changes without this lock file.
BENCHES := --manifest-path benches/Cargo.toml --target-dir target/benches
bench: setup ## this project beside its peers; rewrites docs/benchmarks.md
	$(CARGO) build --release $(BENCHES) --bins
	benches/run.py --programs target/benches/release

bench-quick: setup-build ## the same in a minute: few rounds, ourselves and tokio only
	$(CARGO) build --release $(BENCHES) --bins
	benches/run.py --programs target/benches/release --quick

clean: ## remove what was built
	$(CARGO) clean
