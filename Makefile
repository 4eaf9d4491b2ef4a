# Everything a developer does here. Two commands are enough to begin with: `make demo`, `make test`.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
VENV ?= .venv
BIN := $(VENV)/bin
SYNCED := $(VENV)/.synced
WORKERS ?= auto

export COVERAGE_RCFILE := $(CURDIR)/pyproject.toml

.PHONY: help demo test check lint types contracts tests unit format bench docs manifests setup clean \
	demo-cluster bench-cluster cluster-up cluster-down cluster-status cluster-build

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## A real git push becomes a run, a status and a badge (KEEP=1 leaves the server up)
	@$(BIN)/python -m examples.demo $(if $(KEEP),--keep)

test: check tests ## Everything that must hold: lint, types, contracts, tests, coverage

check: lint types contracts ## What can be said without running the code

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

tests: setup ## The tests with their coverage floors
	@mkdir -p build/coverage && rm -f build/coverage/*
	$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal --ignore=tests/cluster $(ARGS)
	$(BIN)/coverage run -m pytest -n 0 tests/cluster
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --include='pipelines/*' --fail-under=100

unit: setup ## The tests of one package, without coverage: make unit PACKAGE=pipelines
	@mkdir -p build
	$(BIN)/python -m pytest -q --junitxml=build/junit-$(PACKAGE).xml tests/$(PACKAGE) $(ARGS)

demo-cluster: setup ## The demo with its steps as Pods, on a Kubernetes of its own (needs root)
	@$(BIN)/python -m tests.testbed.demo

bench-cluster: setup ## Measure steps as Pods against bare Pods (needs root)
	$(BIN)/python -m benchmarks.cluster

cluster-up: setup ## A real Kubernetes with MinIO on this machine (needs root): eval "$(make -s cluster-up)"
	@$(BIN)/python -m tests.testbed up $(ARGS)

cluster-down: setup ## End it, without a trace
	@$(BIN)/python -m tests.testbed down $(ARGS)

cluster-status: setup ## Say what of it runs
	@$(BIN)/python -m tests.testbed status $(ARGS)

cluster-build: ## Build its programs beforehand (13 minutes, once)
	@$(PYTHON) -m tests.testbed build

format: setup ## Put the code in shape
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

bench: setup ## Measure, each figure against a baseline of the same run
	$(BIN)/python -m benchmarks

docs: setup ## Write the pages that are made from the code
	$(BIN)/python -m runner.cli.reference
	$(BIN)/python -m runner.documentation

manifests: setup ## Render deploy/manifests from the Helm chart
	$(BIN)/python -m tests.deploy.chart

setup: $(SYNCED) ## Make the virtual environment

$(SYNCED): pyproject.toml uv.lock | $(UV)
	@UV_PROJECT_ENVIRONMENT=$(abspath $(VENV)) $(UV) sync --frozen --all-extras --quiet --python $(PYTHON)
	@touch $@

.uv/bin/uv:
	@echo "uv is not here yet: putting it into .uv"
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check uv

clean: ## Remove what the other targets made
	rm -rf $(VENV) .uv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
