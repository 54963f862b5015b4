# Two commands: `make demo` (sets up, loads the sample traces, serves) and `make test` (sets up, checks, tests).
# The single steps behind them: setup, setup-dev, format, lint, types, imports, unit, coverage, bench, lock, samples, clean.

# Two workers: the tests are written for two cores.
PYTEST_ARGS ?= -n 2
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export TZ := UTC
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test setup setup-dev format lint types imports unit coverage bench lock samples clean

demo: setup
	$(BIN)/tokenpnl demo --home .demo

test: lint types imports unit

setup: $(VENV)/.server
setup-dev: $(VENV)/.dev

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The locks are whole, so nothing is resolved again; the pip of Debian 12 could not resolve extras against hashes.
$(VENV)/.server: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.server
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.lock
	touch $@

format: setup-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lint: setup-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup-dev
	$(BIN)/mypy

imports: setup-dev
	$(BIN)/lint-imports

unit: setup-dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The whole suite under branch coverage of ingest and analytics; the floor stands in pyproject.toml.
coverage: setup-dev
	$(BIN)/python -m pytest --cov --cov-report=term $(PYTEST_ARGS)

bench: setup-dev
	$(BIN)/python benchmarks/run.py

# Needs uv; the locks carry hashes and no index address.
UV_COMPILE := uv pip compile pyproject.toml --extra server --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet
lock:
	$(UV_COMPILE) -o requirements.lock
	$(UV_COMPILE) --group dev -c requirements.lock -o requirements-dev.lock

samples: setup-dev
	$(BIN)/python sample_traces/make.py

clean:
	rm -rf $(VENV) .demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
