# Everything works on a fresh machine with Python 3.11 or newer: each target makes the environment it needs.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RELEASE := $(VENV)/.release
EXTRAS := video cityscapes export tensorboard ray
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install demo test test-all lint format type docs faults bench lock audit release clean help

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("weclick needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(INSTALLED)  ## make the environment in .venv

demo/data: | $(INSTALLED)
	$(BIN)/weclick data synthetic demo/data --size '[160,320]'

demo: $(INSTALLED) demo/data  ## train clicks, weclick and full on synthetic video and compare them
	$(BIN)/weclick ablate --config demo.yaml --arms clicks,weclick,full --name demo

test: $(INSTALLED)  ## all tests that need no real data
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal --durations=30 -m 'not realdata and not engines' tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal -m engines tests

test-all: $(INSTALLED)  ## all tests; those on real data need WECLICK_CAMVID and WECLICK_CITYSCAPES
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal -m 'not engines' tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal -m engines tests

lint: $(INSTALLED)  ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED)  ## fix style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(INSTALLED)  ## types
	$(BIN)/mypy

FAULTS := tests/faults tests/cli/test_full_disk.py tests/cli/test_killed.py tests/cli/test_resources.py \
	tests/pipeline/test_divergence.py tests/pipeline/test_tracking.py tests/reporting/test_tracker.py

faults: $(INSTALLED)  ## failing disks and memory, thousands of bad inputs, kills of all commands and of the page's server; an hour
	OMP_NUM_THREADS=1 $(BIN)/pytest -m 'not engines' $(FAULTS)
	OMP_NUM_THREADS=1 $(BIN)/pytest -m engines $(FAULTS)
	OMP_NUM_THREADS=1 WANDB_MODE=disabled $(BIN)/python -m tests.faults.inputs
	OMP_NUM_THREADS=1 WANDB_MODE=disabled $(BIN)/python -m tests.faults.kills --kills 100
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.people --people 10 --clicks 20000 --kills 20

bench: $(INSTALLED) demo/data  ## speed of student, training and memory on the synthetic set
	$(BIN)/weclick benchmark student
	$(BIN)/weclick benchmark train --config demo.yaml
	$(BIN)/python benchmarks/memory.py

docs: $(INSTALLED)  ## the documentation site in site/; fails at a broken link
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "open site/index.html, or serve it for the search: $(BIN)/mkdocs serve"

$(RELEASE): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[release]'
	touch $@

lock: $(RELEASE)  ## requirements.lock: the tested versions of weclick and its extras with the hashes of their files, for Linux
	$(BIN)/uv pip compile --quiet --python $(BIN)/python $(addprefix --extra ,$(EXTRAS)) --constraint constraints.txt --generate-hashes \
		--no-annotate --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

audit: $(RELEASE)  ## known vulnerabilities of the locked versions; skipped where the package index does not list them
	@found=$$($(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock 2>&1); status=$$?; \
	if printf '%s' "$$found" | grep -qE 'could not be audited|ConnectionError|ProxyError|Max retries'; then \
		echo "audit: skipped: $$(printf '%s' "$$found" | tail -n 1)"; \
	else printf '%s\n' "$$found"; exit $$status; fi

release: $(RELEASE)  ## dist/: the wheel, and sbom.json with all that it may be installed with
	$(BIN)/python -m build --wheel
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

clean:  ## remove the environment, runs and the demo
	rm -rf $(VENV) runs demo site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
