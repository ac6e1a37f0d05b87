# The project's commands. `make demo` and `make test` do everything on a bare Debian machine.
SHELL := /bin/bash
PYTHON := .venv/bin/python
# The engine and its network namespace need root.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help setup demo site test check bench docs picture

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup:  ## Install what is missing: system packages, Python environment
	@deploy/local/setup.sh

demo: setup  ## Train a model in a real job, from submit_job to DONE (KEEP=1 waits before the end)
	@$(ROOT) $(PYTHON) -m deploy.local.demo $(if $(KEEP),--keep)

site: setup  ## Start the demo's site without a job, for the tutorial, until Enter
	@$(ROOT) $(PYTHON) -m deploy.local.demo --site

test: setup  ## Run every test, against real servers
	@# Much of it waits for something, so three files run at once, in the order of tests/conftest.py.
	@$(ROOT) $(PYTHON) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup  ## Lint, types, import rules
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@PATH="$(CURDIR)/.venv/bin:$$PATH" lint-imports

bench: setup  ## Measure, side by side with what bounds it
	@$(ROOT) $(PYTHON) -m benchmarks $(ARGS)

docs: setup  ## Draw what follows from code, and build the site: docs/_build/html
	@$(PYTHON) -c 'from aitrain.domain.diagram import render; print(render(), end="")' > docs/reference/states.md
	@$(PYTHON) -m deploy.local.async_twin
	@$(PYTHON) -m sphinx -q -W --keep-going -E -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

picture: setup  ## Run a real job and draw its terminal: docs/pictures/run.svg
	@$(ROOT) $(PYTHON) -m deploy.local.picture
