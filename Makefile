# Everything works on a fresh machine with Python 3.11 or newer: each target makes the environment it needs.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install demo test test-all lint format type docs faults bench clean help

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
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --durations=30 -m 'not realdata and not engines' tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto -m engines tests

test-all: $(INSTALLED)  ## all tests; those on real data need WECLICK_CAMVID and WECLICK_CITYSCAPES
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto -m 'not engines' tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto -m engines tests

lint: $(INSTALLED)  ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED)  ## fix style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(INSTALLED)  ## types
	$(BIN)/mypy

faults: $(INSTALLED)  ## 2,000 bad inputs, and 100 kills at random moments; about 50 minutes
	OMP_NUM_THREADS=1 WANDB_MODE=disabled $(BIN)/python -m tests.faults.inputs
	OMP_NUM_THREADS=1 WANDB_MODE=disabled $(BIN)/python -m tests.faults.kills --kills 100

bench: $(INSTALLED) demo/data  ## speed of student, training and memory on the synthetic set
	$(BIN)/weclick benchmark student
	$(BIN)/weclick benchmark train --config demo.yaml
	$(BIN)/python benchmarks/memory.py

docs: $(INSTALLED)  ## the documentation site in site/; fails at a broken link
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "open site/index.html, or serve it for the search: $(BIN)/mkdocs serve"

clean:  ## remove the environment, runs and the demo
	rm -rf $(VENV) runs demo site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
