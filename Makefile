# Every target sets up what it needs. Only GNU make and a Python of at least 3.11 have to be there.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

venv := .venv
bin := $(venv)/bin
# One more than the cores that CI has: a test waits for servers and disks now and then.
workers ?= 3
pytest_args ?=

.PHONY: demo test check check-format check-lint check-types check-imports check-agent \
  check-docs check-transcript format bench wild stress docs servers interpreters clean

# A killed run and its resume, on SQLite, in a minute: needs no server and no development package.
demo: $(venv)/installed
	$(bin)/python -m demo

# Everything CI runs. pytest comes last, so that its closing line is the last one printed.
test: check check-transcript servers interpreters
	$(bin)/python -m pytest -n $(workers) $(pytest_args)

# All that can be said without running the code; `make -k check` goes on after a failure.
check: check-format check-lint check-types check-imports check-agent check-docs
check-format: $(venv)/installed-dev
	$(bin)/ruff format --check .
check-lint: $(venv)/installed-dev
	$(bin)/ruff check .
check-types: $(venv)/installed-dev
	$(bin)/mypy
check-imports: $(venv)/installed-dev
	$(bin)/lint-imports --no-cache
check-agent: $(venv)/installed-dev  # runs in the project's interpreter, which may be old
	$(bin)/vermin --quiet --no-tips --violations --target=3.8- src/orchestrate/agent
check-docs: $(venv)/installed-dev
ifneq ($(wildcard tools/generate_reference.py),)
	$(bin)/python -m tools.generate_reference --check
endif

# Runs the demo: is what the README shows still what it prints?
check-transcript: $(venv)/installed-dev
	$(bin)/python -m tools.update_transcript --check

# What `check` can mend by itself.
format: $(venv)/installed-dev
	$(bin)/ruff format .
	$(bin)/ruff check --fix .

# The figures of benchmarks/RESULTS.md, against what people type today, on private servers. One
# section of them: .venv/bin/python -m benchmarks SECTION
bench: $(venv)/installed-dev servers
	$(bin)/python -m benchmarks

# Projects out of the wild, each in an environment of its own under .cache/wild, driven from an empty
# database to head: docs/compatibility.md. Less of it: .venv/bin/python -m wild NAME --dialect D
wild: $(venv)/installed-dev servers
	$(bin)/python -m wild

# Runs that are killed at random moments and gone on with as the program says, ten a database. The
# round of a seed again: .venv/bin/python -m stress DIALECT --seed N --rounds 1
stress: $(venv)/installed-dev servers
	$(bin)/python -m stress

# Write again what is generated: command line, error codes, JSON Schema, the README's transcript.
docs: $(venv)/installed-dev
	$(bin)/python -m tools.generate_reference
	$(bin)/python -m tools.update_transcript

# PostgreSQL and MariaDB programs for the tests' own private servers, and Chromium.
servers:
	bash tests/support/install_servers.sh

# Oldest and newest Python, Alembic and SQLAlchemy that the agent has to run with, and the three small
# projects out of the wild that the tests drive.
interpreters: $(venv)/installed-dev
	$(bin)/python -m tests.support.interpreters
	$(bin)/python -m wild.environments

clean:
	rm -rf $(venv) .cache .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf .coverage .coverage.* htmlcov build dist
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# The first Python that is new enough, runs (a shim may not) and can make an environment.
$(bin)/python:
	@for candidate in python3.13 python3.12 python3.11 python3 python3.14 python; do \
	  if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	      2>/dev/null; then \
	    echo "making $(venv) with $$("$$candidate" --version)"; \
	    "$$candidate" -m venv --clear $(venv); exit 0; \
	  fi; \
	done; \
	echo 'error: no Python of at least 3.11 with the modules venv and ensurepip on PATH' >&2; exit 1

# The stamps are newer than pyproject.toml as long as what it asks for is installed. Both install
# in place, so the sources need no second installation; pip compiles only what it copies.
$(venv)/installed: pyproject.toml | $(bin)/python
	$(bin)/python -m pip install --quiet --editable .
	$(bin)/python -m compileall -q src
	touch $@

$(venv)/installed-dev: pyproject.toml | $(bin)/python
	$(bin)/python -m pip install --quiet --editable '.[dev]'
	$(bin)/python -m compileall -q src
	touch $@ $(venv)/installed
