# `make` alone lists what can be done. Everything is made under target/.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

TARGET := $(or $(CARGO_TARGET_DIR),target)
DIRECTLINK := $(TARGET)/debug/directlink
PYTEST := target/venv/bin/python -m pytest
LAB := target/lab

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use it

.PHONY: setup build demo lab clean-lab deb
setup: ## packages, API clients, a look at the platform (every target below does this first)
	@scripts/setup

build: setup
	@cargo build --quiet --bin directlink

demo: build ## a whole Region on this machine, and a customer's router that reaches a host in a Net
	@$(DIRECTLINK) demo

lab: build ## a Region to play with: prints its addresses and keys; stays until `make clean-lab`
	@$(DIRECTLINK) lab up --state $(LAB) | tee $(TARGET)/lab.json
	@echo "It stays up. Take it down with: make clean-lab" >&2

clean-lab: build ## take down what `make lab` brought up, a killed lab as well
	@$(DIRECTLINK) lab down --state $(LAB)

deb: setup ## a Debian package with a static binary, under target/packages
	@command -v musl-gcc >/dev/null || apt-get install --quiet=2 --yes --no-install-recommends musl-tools
	@rustup target add x86_64-unknown-linux-musl
	@cargo build --quiet --release --target x86_64-unknown-linux-musl --bin directlink
	@scripts/package $(TARGET)/x86_64-unknown-linux-musl/release/directlink $(TARGET)/packages

##@ Change it

# Most tests wait: for timers, daemons, the kernel. More of them at once than there are processors take two thirds of the time.
THREADS := $(shell echo $$((2 * $$(nproc))))

.PHONY: test fmt lint unit kernel-test clients clients-postgres
# What the clients need is built, and lints are looked for, while Rust tests wait for timers.
test: setup fmt ## all checks and tests: format, lints, Rust tests, Debian's kernel, the real API clients
	cargo test --quiet --workspace --no-run
	@{ nice scripts/setup-clients && nice $(MAKE) lint >$(TARGET)/lint.log 2>&1; } & beside=$$!; \
	    $(MAKE) unit || { kill $$beside; exit 1; }; wait $$beside || { cat $(TARGET)/lint.log; exit 1; }
	@$(MAKE) kernel-test clients

fmt: setup ## is every file formatted?
	cargo fmt --all --check

lint: setup ## clippy; a warning is an error
	cargo clippy --workspace --all-targets -- --deny warnings

# Those of the server that have a store run on PostgreSQL as well.
ON_POSTGRES := package(directlink-server) & test(/^(api|app|cockpit|mail|reconcile|store)::/)

# nextest runs a process per test; where it is missing, cargo's own runner does. Documentation tests are only cargo's.
unit: setup ## the Rust tests: pure, packets, labs with BIRD, FRR and GoBGP; the server's on both stores
	@if cargo nextest --version >/dev/null 2>&1; then \
	    set -x; scripts/with-postgres cargo nextest run --workspace --test-threads $(THREADS); \
	    DIRECTLINK_TEST_STORE=postgres scripts/with-postgres cargo nextest run --workspace --test-threads $(THREADS) -E '$(ON_POSTGRES)'; \
	    cargo test --workspace --doc; \
	else \
	    set -x; scripts/with-postgres cargo test --workspace; \
	    DIRECTLINK_TEST_STORE=postgres scripts/with-postgres cargo test --package directlink-server --lib; \
	fi

kernel-test: setup ## the packet programs on Debian 12's kernel, in an emulated machine
	@cargo build --quiet --workspace --example vlan_devices --example bonded_customer
	@scripts/kernel-test $(addprefix $(TARGET)/debug/examples/,vlan_devices bonded_customer)

clients: build ## AWS CLI, boto3, osc-cli, osc-sdk-python, npm's and Rust's SDK against a Region
	@scripts/setup-clients
	DIRECTLINK=$(abspath $(DIRECTLINK)) $(PYTEST) clients --numprocesses 2

FORMER := HEAD~50

.PHONY: upgrade-test
upgrade-test: build ## a Region of the commit FORMER becomes this one, agents or server first, under traffic
	@scripts/former-build $(FORMER) $(TARGET)/former
	DIRECTLINK_FORMER=$(abspath $(TARGET)/former/debug/directlink) \
	    cargo test --workspace --test region -- --ignored --nocapture upgrade

clients-postgres: build ## the same with the Region's facts in PostgreSQL
	@scripts/setup-clients
	DIRECTLINK=$(abspath $(DIRECTLINK)) DIRECTLINK_TEST_STORE=postgres scripts/with-postgres $(PYTEST) clients --numprocesses 2

SEEDS := 10000

.PHONY: simulate mutants
simulate: setup ## a Region on virtual time with faults from SEEDS seeds (10000); `make test` runs 200
	DIRECTLINK_SEEDS=$(SEEDS) cargo test --profile simulation --workspace --test seeds -- --nocapture

mutants: setup ## does the simulation find rules that are broken on purpose? MUTANTS="…": only these
	@scripts/mutants $(MUTANTS)

FUZZ_SECONDS := 60

.PHONY: fuzz
fuzz: setup ## coverage-guided fuzzing of BGP, BFD and plans: FUZZ_SECONDS each (60)
	@scripts/fuzz $(FUZZ_SECONDS)

##@ Measure it

.PHONY: bench bench-forwarding bench-api bench-bgp bench-cockpit bench-failover bench-fleet drill drill-restore
bench: bench-forwarding bench-api bench-cockpit bench-bgp ## these four; not bench-failover and bench-fleet, which take long

bench-forwarding: setup ## Mpps of the DirectLink road against the kernel's own routing
	cargo bench --package directlink-dataplane --bench forwarding

bench-api: setup ## CPU per API call against moto_server, and with 100,000 connections stored
	@cargo build --quiet --release --bin directlink
	@target/venv/bin/python benches/api/bench.py --directlink $(TARGET)/release/directlink

bench-cockpit: setup ## the first byte of each page of Cockpit, with 10,000 connections stored
	@cargo build --quiet --release --bin directlink
	@target/venv/bin/python benches/cockpit/bench.py --directlink $(TARGET)/release/directlink

bench-bgp: setup ## BGP tables until they forward, against BIRD and FRR; one port full of sessions; CPU and memory
	@cargo build --quiet --release --workspace --bin directlink
	cargo bench --quiet --workspace --bench bgp -- --directlink $(abspath $(TARGET)/release/directlink)

# With the binary of the tests: what takes its time here are timers.
bench-failover: setup ## how long packets are lost when a way is, 50 rounds each, beside BIRD; half an hour
	cargo bench --quiet --profile dev --package directlink --bench failover

ROUTERS := 50 150 500

# A quarter of an hour, most of it the largest, whose rows are all planned and delivered from nothing.
bench-fleet: setup ## how soon a router has what was asked for, with so many ROUTERS, 2,000 interfaces stored for each
	@cargo build --quiet --release --workspace --bin directlink --example fleet
	@target/venv/bin/python benches/fleet/bench.py --directlink $(TARGET)/release/directlink \
	    --agents $(TARGET)/release/examples/fleet --routers $(ROUTERS) --picture docs/pictures/fleet.svg

ROUNDS := 20

# Patroni and its like are wanted by nothing else.
drill: build ## PostgreSQL's primary, servers and etcd's leader are killed and cut off under load: ROUNDS (20)
	@scripts/setup etcd-client etcd-server haproxy patroni
	@target/venv/bin/python benches/drill/drill.py --directlink $(DIRECTLINK) --rounds $(ROUNDS)

drill-restore: build ## in the same cluster: a bad DELETE, and the moment before it restored from PostgreSQL's archive
	@scripts/setup etcd-client etcd-server haproxy patroni
	@target/venv/bin/python benches/drill/point_in_time.py --directlink $(DIRECTLINK)

##@ Show it

.PHONY: pictures
pictures: build ## the README's pictures: the true output of `make demo`, and Cockpit on a lab
	@target/venv/bin/python scripts/pictures.py docs/pictures/demo.svg --shown "make demo" -- $(DIRECTLINK) demo --once
	@DIRECTLINK=$(abspath $(DIRECTLINK)) target/venv/bin/python scripts/screenshots.py docs/pictures
