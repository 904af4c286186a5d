# Everything is done in a virtual environment in .venv, which is set up anew when what it is made of has changed.
# Only make and Python 3.11 or newer need to be there. `make test ARGS='-k name'` hands arguments on,
# `make test PARALLEL= PARALLEL_TIMED=` runs one test at a time.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS :=
# Many tests wait for what is slow on purpose: six at a time keep a machine of two cores busy. Those that go by the
# clock come before them.
PARALLEL := -n 6 --dist worksteal
PARALLEL_TIMED := -n 3 --dist worksteal
SLOW_CHECKS := types client-types client-types-by-pyright layers vulnerabilities

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes: none is to compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test check format coverage faults truth bench clean $(SLOW_CHECKS)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## set up the virtual environment

run: $(READY) ## set up, then cancel a realistic file against the local platform
	@$(BIN)/cancellist demo $(ARGS)

test: $(READY) ## set up, then run all tests
	@.ci/need-redis-server
	@.ci/need-postgresql
	@.ci/need-languages
	@VENV='$(VENV)' PARALLEL='$(PARALLEL)' PARALLEL_TIMED='$(PARALLEL_TIMED)' .ci/run-tests $(ARGS)

check: $(READY) ## lint, check formatting, types, layers and dependencies
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(MAKE) --no-print-directory --jobs 2 $(SLOW_CHECKS)
	@echo 'all checks passed' >&2

# The longest comes first: the others are done beside it.
types:
	@$(BIN)/mypy
client-types:
	@cd clients/python && ../../$(BIN)/mypy
client-types-by-pyright:
	@.ci/pyright
layers:
	@$(BIN)/lint-imports --no-logo
vulnerabilities:
	@$(BIN)/python .ci/audit

format: $(READY) ## format the code and mend what can be mended by itself
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

coverage: $(READY) ## run all tests and report branch coverage
	@.ci/need-redis-server
	@.ci/need-postgresql
	@.ci/need-languages
	@$(BIN)/pytest --cov --cov-report=term-missing $(ARGS)

faults: $(READY) ## inject faults and compare all results; ARGS='--seconds 1800 --seed 7'
	@.ci/need-redis-server
	@$(BIN)/python -m tests.acceptance.faults $(ARGS)
	@FAILURE_STOP_SEEDS=50 $(BIN)/pytest -q tests/acceptance/test_failure_stop.py -k killed

truth: $(READY) ## play other platforms with faults, and compare; ARGS='--seeds 10 --references 20000'
	@$(BIN)/python -m tests.acceptance.other_platforms $(ARGS)

bench: $(READY) ## measure, and print one table
	@$(BIN)/python bench/run.py $(ARGS)

clean: ## remove the virtual environment and all that was made by tools
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .import_linter_cache *.egg-info clients/python/.hypothesis clients/python/.mypy_cache clients/python/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@python=$$(.ci/python) && "$$python" -m venv --clear $(VENV)

$(READY): pyproject.toml clients/python/pyproject.toml constraints.txt | $(BIN)/python
	@echo 'setting up $(VENV)' >&2
	@$(BIN)/pip install -qq -c constraints.txt -e '.[dev]' -e 'clients/python[redis]'
	@touch $@
	@echo 'ready: `make run` shows what cancellist does, `make help` lists what else there is' >&2
