# Two commands matter: `make demo` plays the whole story, `make test` checks it.
# Each sets up what it needs (tools/setup.sh); repeats are instant.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
BENCH ?= all
TIMES ?= 2

.PHONY: help demo test test-here test-plain lint bench soak fuzz machines clean setup

help:            ## Say what can be made
	@grep -E '^[a-z-]+: .*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup:           ## Make .venv and install what the tests use
	@tools/setup.sh dev

demo:            ## Play the story from a base image to a published one (KEEP=1 leaves it running)
	@tools/setup.sh demo
	@$(BIN)/python tools/demo.py

test: setup      ## Check everything: as this user and, when that is root, as a plain user too
	@CI=$(CI) tools/test.sh $(ARGS)

lint: setup      ## Format, ruff, mypy, import contracts
	@$(BIN)/ruff format --check --quiet . || { echo 'run: .venv/bin/ruff format .'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo --config pyproject.toml > .cache/imports.txt 2>&1 \
	  || { cat .cache/imports.txt; exit 1; }
	@echo 'lint: clean'

bench: setup     ## Measure beside podman, docker and others; writes bench/RESULTS.md (BENCH=chapter|layers|moving|containers|hub|understanding, TIMES=2)
	@tools/bench_peers.sh
	@set -e; case "$(BENCH)" in chapter|all) $(BIN)/python bench/chapter.py;; esac
	@set -e; case "$(BENCH)" in layers|all) $(BIN)/python bench/layers.py --write --times $(TIMES);; esac
	@set -e; case "$(BENCH)" in moving|all) $(BIN)/python bench/moving.py --write --times $(TIMES);; esac
	@set -e; case "$(BENCH)" in containers|all) $(BIN)/python bench/containers.py --write --times $(TIMES);; esac
	@set -e; case "$(BENCH)" in hub|all) $(BIN)/python bench/hub.py --write --times $(TIMES);; esac
	@set -e; case "$(BENCH)" in understanding|all) $(BIN)/python bench/understanding.py --write --times $(TIMES);; esac

soak: setup      ## Hours: all tests with a long version: properties, 1,000 kills, failing calls, power cuts (SOAK_SEED=, SOAK_KILLS=, SOAK_DEEDS=)
	@$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --timeout=14400 --hypothesis-profile=soak \
	  $$(grep -rlE '@given|sized\(' --include='test_*.py' tests)

fuzz: setup      ## Feed made-up tars and sealed files to the readers (SECONDS=600, SEED=, TARGET=)
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED)) $(if $(TARGET),--target $(TARGET))

machines: setup  ## Use lamina on other kernels and systems, in QEMU (MACHINES="bookworm trixie", ARGS=--tests)
	@$(BIN)/python tools/machines/machines.py $(MACHINES) $(ARGS)

clean:           ## Remove what the commands above made
	@tools/clean.sh
