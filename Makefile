# Every target works from a clean clone with Python 3.11, git and make; the environment is .venv, in the clone.
PYTHON ?= python3
UV ?= $(shell command -v uv)
RUN := .venv/bin/python
READY := .venv/.ready

export PYTHON UV
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env demo test crash explore bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

env: $(READY) ## the environment in .venv, from requirements.lock
	@:

$(READY): pyproject.toml requirements.lock
	@scripts/environment
	@touch $@

demo: env ## a flow in a durable session, killed and taken up again
	@$(RUN) examples/demo.py

test: env ## style, types, layers and every test, up to the first failure
	@printf '\n── ruff check\n';    $(RUN) -m ruff check .
	@printf '\n── ruff format\n';   $(RUN) -m ruff format --check .
	@printf '\n── mypy\n';          $(RUN) -m mypy
	@printf '\n── lint-imports\n';  $(RUN) -c 'from importlinter.cli import lint_imports_command as run; run()' --no-logo
	@printf '\n── pytest\n';        $(RUN) -m pytest -n 2 --dist worksteal -m 'not alone'
	@printf '\n── pytest, alone\n'; $(RUN) -m pytest -m alone

crash: env ## the crash tests at full length
	@RETOMA_CRASH_FULL=1 $(RUN) -m pytest tests/crash

explore: env ## the property tests, with new examples each time
	@RETOMA_EXPLORE=1 $(RUN) -m pytest -m hypothesis

bench: env ## every measure, as a table and as JSON
	@$(RUN) -m benchmarks

lock: ## requirements.lock again, from pyproject.toml (needs uv)
	@$(or $(UV),uv) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' --extra dev \
		--output-file requirements.lock pyproject.toml

clean: ## away with .venv, caches and what was built
	@rm -rf .venv .environment.log build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
