# Millrace's commands. `make run` and `make test` need nothing but make and Python 3.11.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# Options for pytest: make test ARGS="tests/apps/core -k streams"
ARGS ?=
# Two test processes; each has its own database on the same server.
TEST_PROCESSES ?= 2

.PHONY: help run test check bench client stripe-parity install install-dev translations format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## Start Millrace with its demo (PORT=8000); Ctrl-C stops it
	@exec $(BIN)/python -m deploy.local.run

test: $(DEV_STAMP) ## Run the tests against real PostgreSQL and Redis (ARGS=… for pytest)
	@exec $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup $(ARGS)

check: $(DEV_STAMP) ## Lint, types, import rules, migrations, translations, deployment settings
	@exec $(BIN)/python -m deploy.local.check

bench: $(DEV_STAMP) ## Measure the figures that the README quotes, into var/bench/
	@exec $(BIN)/python -m deploy.local.bench $(ARGS)

stripe-parity: $(RUN_STAMP) ## Compare the Stripe simulator with a Stripe test account (STRIPE_SECRET_KEY=sk_test_…)
	@exec $(BIN)/python -m deploy.stripe_parity $(ARGS)

client: $(DEV_STAMP) ## Write the generated part of clients/python from the API's schema
	@exec $(BIN)/python -m deploy.client

translations: $(DEV_STAMP) ## Collect the words of all pages into locale/, and compile them
	@$(BIN)/python manage.py translations collect
	@$(BIN)/python manage.py translations compile

format: $(DEV_STAMP) ## Format the code, and mend what the linter can mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

install: $(RUN_STAMP) ## Install what `make run` needs into .venv

install-dev: $(DEV_STAMP) ## Install what `make test` and `make check` need as well

clean: ## Remove .venv and caches; var/ with your data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that is Python 3.11; PYTHON=/path/to/python chooses one.
$(BIN)/python:
	@for candidate in $(PYTHON) python3.11 python3 python; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; then \
	        found="$$candidate"; break; \
	    fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "Millrace needs Python 3.11, and none of $(PYTHON) python3.11, python3, python is one." >&2; \
	    echo "Install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	echo "Creating $(VENV) with $$found …"; \
	"$$found" -m venv $(VENV) || { \
	    rm -rf $(VENV); \
	    echo "Python's venv module did not work (Debian and Ubuntu have it in python3.11-venv)." >&2; exit 1; }

$(RUN_STAMP): requirements.txt constraints.txt | $(BIN)/python
	@echo "Installing packages (the first time takes a few minutes) …"
	@$(BIN)/python -m pip install --quiet --progress-bar off -r requirements.txt -c constraints.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(RUN_STAMP)
	@echo "Installing the tools for tests and checks …"
	@$(BIN)/python -m pip install --quiet --progress-bar off -r requirements-dev.txt -c constraints.txt
	@$(BIN)/python -m pip install --quiet --progress-bar off --no-deps --editable clients/python
	@touch $@
