# On a fresh machine: `make demo` or `make test`. Needed: Python 3.11 or newer with venv, and make.

VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
TOOLS  := var/lock-tools
AUDIT  := var/audit-tools
# --no-input: a question nobody sees would hang; hashes: only the files that were locked are installed.
PIP    := -m pip --disable-pip-version-check --no-input install --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo run test audit chaos lint lint-style lint-format lint-types lint-imports bench bench-scale lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: $(READY) ## .venv with the locked dependencies, development tools included

demo: $(READY) ## the whole service with stand-ins on http://127.0.0.1:8000 (PORT=8010 for another port)
	@$(PY) -m bot demo $(if $(PORT),--port $(PORT)) $(ARGS)

run: $(READY) ## the service with the settings of .env
	@$(PY) -m bot serve $(ARGS)

test: $(READY) ## the whole test suite on all cores (ARGS="tests/dialogs -x" for a part, ARGS="-n 0" for one core)
	@$(PY) -m pytest -n auto $(ARGS)

chaos: $(READY) ## 200 kills and 200 other faults on SQLite and on PostgreSQL with three workers: takes long
	@FIXIT_CHAOS=$(or $(N),200) $(PY) -m pytest -s tests/crash/test_chaos.py $(ARGS)

lint: lint-style lint-format lint-types lint-imports ## ruff, mypy, import-linter

lint-style: $(READY)
	$(PY) -m ruff check .

lint-format: $(READY)
	$(PY) -m ruff format --check .

lint-types: $(READY)
	$(PY) -m mypy

lint-imports: $(READY)
	$(VENV)/bin/lint-imports

bench: $(READY) ## the benchmarks, with a table
	@$(PY) -m benchmarks $(ARGS)

bench-scale: $(READY) ## the inbox with millions of rows, and with several workers on PostgreSQL
	@$(PY) -m benchmarks.scale $(ARGS)

# --strict: a registry that knows no vulnerabilities (a mirror) answers "not found" for each package, and without it
# that would pass for "nothing is wrong".
audit: ## known vulnerabilities of the locked dependencies; needs the Internet (ARGS="--ignore-vuln ID" for a known one)
	@test -x $(AUDIT)/bin/pip-audit || { $(or $(PYTHON),python3) -m venv $(AUDIT) && $(AUDIT)/bin/python $(PIP) 'pip-audit>=2.9,<3'; }
	@$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements-run.lock $(ARGS)

# Only made anew when a dependency or its lock changed. A .venv of an older Python, or one that was moved, is replaced.
$(READY): requirements.lock pyproject.toml
	@set -e; \
	if ! $(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	        if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	            found="$$name"; break; \
	        fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "Python 3.11 or newer was not found; name it: make PYTHON=/path/to/python3 ..." >&2; exit 2; \
	    fi; \
	    echo "Creating $(VENV) with $$("$$found" --version)"; \
	    "$$found" -m venv --clear $(VENV) || { \
	        echo "This Python has no venv (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 2; }; \
	fi; \
	echo "Installing the locked dependencies"; \
	$(PY) $(PIP) --require-hashes -r requirements.lock; \
	$(PY) $(PIP) --no-deps --no-build-isolation --no-index -e .; \
	touch $(READY)

# With the tool in an environment of its own: it is not needed to run or to test anything.
PIP_COMPILE = $(TOOLS)/bin/python -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe \
    --no-header --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

lock: ## both lock files after a change in pyproject.toml (ARGS=--upgrade for newer versions)
	@$(PY) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	    echo "note: the lock should be made with Python 3.11, the oldest that is supported" >&2
	@test -x $(TOOLS)/bin/pip-compile || { $(PY) -m venv $(TOOLS) && $(TOOLS)/bin/python $(PIP) 'pip-tools>=7.5,<8'; }
	$(PIP_COMPILE) $(ARGS) --extra dev --extra bench -o requirements.lock pyproject.toml
	$(PIP_COMPILE) -c requirements.lock -o requirements-run.lock pyproject.toml

clean: ## forget .venv and the caches; data in var/ stays
	rm -rf $(VENV) $(TOOLS) $(AUDIT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
