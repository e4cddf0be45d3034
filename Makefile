# Everything a developer does here. Needs make and Python 3.11 or newer with venv; the rest goes into $(VENV).

PYTHON ?= python3
VENV ?= .venv
SOURCES := airflow_provider_videos demo dags tests

STAMP := $(VENV)/.installed
PY := $(abspath $(VENV))/bin/python

# Airflow is found by name, and what it writes on import goes to a place of ours instead of ~/airflow.
export PATH := $(abspath $(VENV))/bin:$(PATH)
export AIRFLOW_HOME := $(abspath .cache/airflow)
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint types unit system test-servers test-matrix distributed bench bench-waiting clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## Create the virtual environment in $(VENV), unless it is up to date

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'make: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),demo)' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { \
	  echo 'make: $(PYTHON) has no venv or ensurepip; on Debian: apt-get install python3-venv' >&2; exit 1; }
	@echo 'make: installing Airflow and the rest into $(VENV), about a minute and 800 MB'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## Make a video in a real Airflow against the emulator (KEEP=1 leaves the UI up, PORT=8080 fixes its port)
	$(PY) -m demo

test: lint types unit system ## Everything that has to pass

lint: $(STAMP) ## Check style and format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(STAMP) ## Check types
	$(PY) -m mypy $(SOURCES)

unit: $(STAMP) ## Test without starting Airflow's processes
	rm -rf $(AIRFLOW_HOME)
	$(PY) -m pytest -m 'not system'

system: $(STAMP) ## Test with a real scheduler, triggerer, DAG processor and API server
	$(PY) -m pytest -m system tests/system

test-servers: $(STAMP) ## Hold a living server to the contract: VIDEOS_BASE_URL, VIDEOS_API_KEY, VIDEOS_MODEL; buys one short video
	@test -n "$$VIDEOS_BASE_URL" || { echo 'make: set VIDEOS_BASE_URL, such as http://gpu-box:8000/v1' >&2; exit 1; }
	$(PY) -m pytest tests/emulator/test_contract.py

test-matrix: $(STAMP) ## Run the unit tests on the oldest and the newest Python, and on the newest pre-release of Airflow
	$(PY) -m tests.matrix

distributed: $(STAMP) ## 100 films on PostgreSQL, Redis, Celery, two workers and two triggerers, one of each killed on the way
	$(PY) -m tests.system.distributed

bench-waiting: $(STAMP) ## What waiting costs, beside other ways to wait and in a real triggerer, and whether attention pays
	$(PY) tests/benchmarks/bench_waiting.py
	$(PY) tests/benchmarks/bench_attention.py
	$(PY) -m tests.benchmarks.bench_triggerer

bench: $(STAMP) ## Run the benchmarks
	@set -e; for script in tests/benchmarks/bench_*.py; do echo "== $$script"; PYTHONPATH=. $(PY) $$script; done

clean: ## Remove the virtual environment, caches and what the demo delivered
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache build dist demo-output
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
