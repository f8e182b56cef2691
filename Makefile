# Everything from a fresh clone with Python 3.11 to 3.13 and make: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= results/demo
# one more than there are cores: many tests wait for processes they have started
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, 1 + (os.cpu_count() or 1)))')

.PHONY: help demo check test fast pytest lint bench clean
help:
	@echo "make demo    a 40-trial sweep of IGM on avdigits, and its report: under five minutes"
	@echo "make check   lint, types, layers and the fast tests: under 90 s on two cores"
	@echo "make test    lint, types, layers and all tests but those that need a GPU"
	@echo "make pytest  tests alone"
	@echo "make lint    ruff, import-linter and mypy alone"
	@echo "make bench   the benchmarks, as ratios"
	@echo "make clean   remove .venv and caches"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "igmsweep needs Python 3.11 to 3.13, found $$($(PYTHON) --version); name another with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/igmsweep tune avdigits --space demo --sampler random --trials 40 --out $(dir $(DEMO)) --name $(notdir $(DEMO))-$$(date +%Y%m%d-%H%M%S)
	$(BIN)/igmsweep analyze $$(ls -dt $(DEMO)-2*/ | head -1)

# side by side: tests wait for processes much of their time
test: $(STAMP)
	@$(MAKE) --no-print-directory -j2 lint pytest

check: $(STAMP)
	@$(MAKE) --no-print-directory -j2 lint fast

fast: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not (slow or gpu or browser or cluster)"

pytest: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not gpu"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

bench: $(STAMP)
	for script in flat_matrix step_cost cli_startup sweep_overhead cache_epoch cache_memory analyze_10k; do $(BIN)/python benchmarks/$$script.py || exit 1; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist
