# The entry points. Each works from a fresh clone, as root or not; the first thing each does is to find out what is
# missing on this machine (tests/prerequisites.sh) and to install it or say how.

.SUFFIXES:
.PHONY: help screens demo look run test faults fuzz check bench prerequisites test-prerequisites

# rustup installs to ~/.cargo/bin, which a shell opened before that does not know yet.
PATH := $(PATH):$(HOME)/.cargo/bin
export PATH

# Where cargo builds; the variable is cargo's own.
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

help:
	@echo 'make demo    keys under dual control, 300 files signed, a key rotated, everything verified offline'
	@echo 'make look    what make demo made, in your browser, with a passkey of your own'
	@echo 'make run     a server for this machine: sealbook dev (Ctrl-C ends it)'
	@echo 'make test    everything that must hold before a change goes in'
	@echo 'make faults  what make test takes a slice of, in full: takes hours'
	@echo 'make fuzz    every parser of outside bytes, FUZZ_SECONDS each'
	@echo 'make screens the pictures of README and docs, renewed from the pages'
	@echo 'make check   formatting and lints alone'
	@echo 'make bench   the product beside its limits; takes a quiet machine half an hour'

prerequisites:
	@tests/prerequisites.sh

# A browser besides.
test-prerequisites:
	@tests/prerequisites.sh test

# The dev profile: it builds in a fraction of the release profile's time, and its slow crates are optimised anyway
# (see [profile.dev.package] in Cargo.toml).
demo: prerequisites
	cargo build --locked -p sealbook -p sealbook-ledger -p integration --bins
	cargo run --quiet --locked -p integration --bin demo

look: prerequisites
	cargo build --locked -p sealbook -p sealbook-ledger -p integration --bins
	cargo run --quiet --locked -p integration --bin demo look

# The built program is started by make itself, so that a signal to make reaches it.
run: prerequisites
	cargo build --locked -p sealbook -p sealbook-ledger --bins
	$(TARGET)/debug/sealbook dev --found trial

# The pictures of README and docs, from real pages.
screens: test-prerequisites
	cargo build --locked -p sealbook -p sealbook-ledger --bins
	cargo test --locked -p integration --test browser -- every_page every_state three_people a_reader_pins
	python3 docs/screens/renew.py $(TARGET)

check: prerequisites
	cargo fmt --all --check
	cargo update --quiet --workspace --locked --manifest-path tests/fuzz/Cargo.toml
	cargo clippy --locked --workspace --all-targets -- -D warnings

# Programs first: the journeys start them from the target folder, where cargo would not otherwise put them for tests of
# another package.
test: test-prerequisites check
	cargo build --locked --workspace --all-targets
	cargo test --locked --workspace

# What `make test` takes slices of, in full and optimised: histories of the pure core, retries of one request, kills of
# signing servers, one a processor.
# Seeds are printed; SEALBOOK_SEED=n repeats one.
faults: test-prerequisites
	cargo build --locked --release --workspace --all-targets
	SEALBOOK_HISTORIES=$${SEALBOOK_HISTORIES:-1000000} \
		cargo test --locked --release -p sealbook-ledger --test dual_control -- --nocapture
	SEALBOOK_QUIET=1 cargo test --locked --release -p integration --test faults -- --nocapture --ignored
	SEALBOOK_CRASHES=$${SEALBOOK_CRASHES:-10000} \
		cargo test --locked --release -p integration --test faults -- --nocapture crashes

# Every parser of outside bytes, one after another; what is found is printed and kept under target/fuzz/finds.
FUZZ_SECONDS ?= 60
fuzz: prerequisites
	tests/fuzz/run.sh $(FUZZ_SECONDS)

# Optimised as it ships. BENCH names groups and options, e.g. `make bench BENCH='sign --seconds 10'`.
bench: prerequisites
	cargo build --locked --release -p sealbook -p sealbook-ledger -p bench
	$(TARGET)/release/bench $(BENCH)
