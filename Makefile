# Run `make` for the list of targets. Everything is installed into .venv; nothing outside this folder is touched.

PYTHON ?= python3
PYTEST_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/pip --disable-pip-version-check -qq
BENCHMARKS := $(sort $(wildcard benchmarks/[a-z]*.py))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check check-static bench format lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

setup: $(STAMP)  ## make .venv and install the pinned packages into it

demo: $(STAMP)  ## build a sample shop, clean it, train, evaluate and tag new products
	@$(BIN)/tagloom demo

test: $(STAMP)  ## the tests (PYTEST_ARGS="-k tags" narrows them, PYTEST_ARGS="-m slow" runs the slow ones)
	$(BIN)/pytest -q -n logical --dist loadscope $(PYTEST_ARGS)

check: check-static test  ## format, lint, types, then the tests

check-static: $(STAMP)  ## format, lint and types only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)  ## every script in benchmarks/ (long; one alone: .venv/bin/python benchmarks/<name>.py)
	@failed=""; for script in $(BENCHMARKS); do \
	  echo "== $$script"; $(BIN)/python $$script || failed="$$failed $$script"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed:$$failed" >&2; exit 1; fi

format: $(STAMP)  ## rewrite the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch first and alone: pip then takes the build that its own configuration offers for this machine.
lock:  ## resolve pyproject.toml afresh and write requirements.lock
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv $$folder; \
	$$folder/bin/pip install -qq "$$(grep '^torch==' requirements.lock)"; \
	$$folder/bin/pip install -qq hatchling editables '.[dev,postgres]'; \
	{ grep '^#' requirements.lock; \
	  $$folder/bin/pip freeze --exclude tagloom | sed 's/+cpu$$//' | LC_ALL=C sort -f; } > $$folder/lock; \
	cp $$folder/lock requirements.lock; echo "requirements.lock: $$(grep -c == requirements.lock) packages"

clean:  ## remove caches, builds and the sample shop (.venv stays; remove it by hand to start afresh)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build demo-shop *.egg-info
	find tagloom tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The build tools are in the lock too, hence no isolation: a second resolution with other versions would gain nothing.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "tagloom needs Python 3.11 or later, '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Install a newer one, or name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "Installing the packages of requirements.lock into $(VENV) (about 2 GB; minutes the first time, seconds later)."
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
