# Every target sets up what it needs under .venv/ first, and again only when pyproject.toml changes.
# Another interpreter: make test PYTHON=python3.13 (after make clean).

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install -q --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-fast lint types layers format fuzz golden gallery bench clean setup-demo setup-test setup-bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: setup-demo ## compile, check, train and draw the lesson 8 model
	@$(PY) examples/lesson8.py

test: setup-test lint types layers ## lint, types, import layers, then the whole test suite
	@echo "== tests"
	@$(PY) -m pytest -q -n auto

test-fast: setup-test lint ## lint, then a few cases of each test that is not marked slow (a minute)
	@echo "== tests, without the slow ones"
	@$(PY) -m pytest -q -n auto -m "not slow"

lint: setup-test ## ruff: rules and formatting
	@echo "== ruff"
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --check --quiet . || { echo "not formatted; run: make format"; exit 1; }

types: setup-test ## mypy, strict
	@echo "== mypy"
	@$(PY) -m mypy

layers: setup-test ## check who imports whom
	@echo "== import layers"
	@$(VENV)/bin/lint-imports --no-logo

format: setup-test ## let ruff fix and format the sources
	@$(PY) -m ruff check --quiet --fix .
	@$(PY) -m ruff format .

fuzz: setup-test ## the property tests with many random examples (long)
	@$(PY) -m pytest -m hypothesis --hypothesis-profile=fuzz --timeout=0

golden: setup-test ## rewrite the golden files from what is emitted now; read the diff before committing
	@$(PY) -m pytest -q -m golden --update-golden

gallery: setup-test ## draw the gallery's pictures again and write its page
	@$(PY) docs/gallery.py

bench: setup-bench ## measure lesson 8 against torch, JAX, autograd and PyTensor, and what level default gains
	@$(PY) -m benchmarks
	@$(PY) -m benchmarks.levels

clean: ## remove the environment, caches and build products
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up: one stamp per set of extras -------------------------------------------------------------------------

setup-demo: $(VENV)/.setup-demo
setup-test: $(VENV)/.setup-test ## only set up .venv for the tests
setup-bench: $(VENV)/.setup-bench

$(VENV)/.created:
	@echo "== creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.setup-demo: EXTRAS := pictures,train
$(VENV)/.setup-test: EXTRAS := test,pictures,train
$(VENV)/.setup-bench: EXTRAS := bench,pictures,train

$(VENV)/.setup-%: pyproject.toml | $(VENV)/.created
	@echo "== installing graphgrad[$(EXTRAS)] into $(VENV) (minutes the first time)"
	@$(PIP) -e ".[$(EXTRAS)]"
	@$(PY) -m compileall -q graphgrad
	@touch $@
