# Each target makes .venv and installs what it needs, once; a changed setup.cfg
# installs again. Pass options on with ARGS: make train ARGS="--epochs 10"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := autograd mygrad jax torch
# Twice quiet: pip's warnings are left out, its errors are not.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -e

.PHONY: help train test test-slow bench lint clean

help:
	@echo "make train      train a CNN on MNIST (ARGS=--help shows the options)"
	@echo "make test       all tests but the slow ones, on two cores"
	@echo "make test-slow  the tests marked slow"
	@echo "make bench      the benchmarks, against the peers (ARGS=--help shows the options)"
	@echo "make lint       ruff and mypy"
	@echo "make clean      remove .venv and caches; runs/ stays"

train: $(VENV)/.has-train
	@$(BIN)/python -m models.train $(ARGS)

test: $(VENV)/.has-test
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

test-slow: $(VENV)/.has-test
	@$(BIN)/python -m pytest -m slow $(ARGS)

bench: $(VENV)/.has-bench
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.has-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy autograd_lite models benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "autograd_lite needs Python 3.11 or later, and $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 ..." >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.has-train: $(VENV)/.made setup.cfg pyproject.toml
	@echo "Installing what training needs into $(VENV), once ..."
	@$(INSTALL) '.[train]'
	@touch $@

$(VENV)/.has-test: $(VENV)/.made setup.cfg pyproject.toml
	@echo "Installing what the tests need into $(VENV), once ..."
	@$(INSTALL) '.[train,test]'
	@touch $@

# A peer that cannot be had is left out: the benchmarks compare with the others.
$(VENV)/.has-bench: $(VENV)/.made setup.cfg pyproject.toml
	@echo "Installing the benchmarks and their peers into $(VENV), once ..."
	@$(INSTALL) '.[train]'
	@for peer in $(PEERS); do \
	  $(INSTALL) ".[$$peer]" || echo "$$peer could not be installed: left out"; \
	done
	@touch $@
