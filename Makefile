# GoldSignal: `make up` runs it, `make test` proves it. `make help` lists the rest.
# Needs git, make and Python 3.11 to 3.13 with venv; everything else is installed into .venv from requirements.lock.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# A shell that exports this would leave an environment without bytecode, in which every process compiles everything (2.4 x slower).
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

PYTHON ?=
PY := .venv/bin/python
STAMP := .venv/.installed
PIP := $(PY) -m pip --quiet --no-input
UV := build/uv/bin/uv
# The oldest systems for which every locked package has a wheel.
PLATFORMS := aarch64-apple-darwin/14.0 x86_64-apple-darwin/13.0 aarch64-manylinux_2_28 x86_64-manylinux_2_28

.PHONY: help setup up down test lint types contract format lock resolve clean bench peers prove reference

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

# Done again only when the lock, the project file, the place of the folder or the interpreter changed.
setup: ## Build .venv from requirements.lock
	@state="$$(cat requirements.lock pyproject.toml | cksum) $$(pwd)"; \
	if [ -x $(PY) ] && $(PY) -c '' 2>/dev/null && [ "$$(cat $(STAMP) 2>/dev/null)" = "$$state" ]; then exit 0; fi; \
	python=""; \
	for candidate in "$(PYTHON)" python3 python3.13 python3.12 python3.11; do \
		if [ -n "$$candidate" ] && "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
		then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "No Python 3.11, 3.12 or 3.13 with venv was found. On Debian: apt-get install python3 python3-venv; or make PYTHON=/path/to/python up." >&2; \
		exit 1; \
	fi; \
	set -e; \
	echo "Building .venv with $$("$$python" --version) from requirements.lock (a minute or two the first time)"; \
	rm -f $(STAMP); \
	if ! $(PY) -c 'import pip' 2>/dev/null || ! grep -qsF "$$(pwd)/.venv" .venv/bin/activate; then rm -rf .venv; "$$python" -m venv .venv; fi; \
	$(PIP) install --require-hashes --only-binary :all: -r requirements.lock; \
	$(PIP) install --no-deps --no-build-isolation -e .; \
	$(PY) -m compileall -q goldsignal_pipeline goldsignal_pipeline_tests sql; \
	printf '%s' "$$state" > $(STAMP)

up: setup ## Start everything; Ctrl-C stops it
	@exec $(PY) -m goldsignal_pipeline.cli up

down: setup ## Stop a running `make up`
	@$(PY) -m goldsignal_pipeline.cli down

test: setup ## The whole test suite
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: setup ## Style and format
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup ## Strict types
	@.venv/bin/mypy

contract: setup ## Imports go down only
	@.venv/bin/lint-imports

format: setup ## Format the code
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench: setup ## Benchmarks as ratios against floors and peers
	@$(PY) -m benchmarks

peers: setup ## Install the peers of benchmarks and marked tests into .venv (backtesting.py is AGPL)
	@$(PIP) install --require-hashes --only-binary :all: -r benchmarks/peers.txt

prove: setup ## The long proofs: more kills, more shuffles, longer histories
	@PROVE=1 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

reference: setup ## Write the generated reference pages and column schemas again
	@$(PY) -m goldsignal_pipeline_tests.assets.generate_columns
	@$(PY) -m goldsignal_pipeline_tests.docs.generate

$(UV):
	@python3 -m venv build/uv && build/uv/bin/python -m pip install --quiet uv

lock: $(UV) ## Resolve the versions again (downloads uv into build/)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-strip-extras --no-emit-index-url --no-emit-find-links --upgrade --quiet -o requirements.lock
	@$(PY) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['peers'], sep='\n')" | \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile - --universal --python-version 3.11 --constraints requirements.lock \
		--generate-hashes --no-annotate --no-strip-extras --no-emit-index-url --no-emit-find-links --upgrade --quiet -o benchmarks/peers.txt

resolve: $(UV) ## Check that every locked package has its wheel for macOS and Linux on each Python; installs nothing
	@for platform in $(PLATFORMS); do for version in 3.11 3.12 3.13; do \
		MACOSX_DEPLOYMENT_TARGET=$${platform#*/} $(UV) pip sync requirements.lock --dry-run --quiet --require-hashes --only-binary :all: \
			--python-platform $${platform%/*} --python-version $$version --target build/nothing || exit 1; \
		echo "$$platform, Python $$version: complete"; \
	done; done

clean: ## Remove caches; data only when you say so (asked for, or CONFIRM=yes)
	@find . -name __pycache__ -type d -not -path './.venv/*' -not -path './.goldsignal/*' -prune -exec rm -rf {} +
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .numba_cache .benchmarks build *.egg-info .coverage
	@if [ -x $(PY) ]; then $(PY) -m goldsignal_pipeline.cli.services.removal $(if $(filter yes,$(CONFIRM)),--yes); fi
