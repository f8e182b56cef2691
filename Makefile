# Everything from a fresh clone with Python 3.11 to 3.14 and make: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.dev
# torch without CUDA, 2.8 GB less to download, where there is no NVIDIA GPU and its index answers; `make TORCH=` leaves that out
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH = $(shell nvidia-smi -L >/dev/null 2>&1 || { $(PYTHON) -c 'import urllib.request as web; \
  web.urlopen("$(CPU_INDEX)/torch/", timeout=20)' 2>/dev/null && echo --extra-index-url $(CPU_INDEX); })
# one more than there are cores: many tests wait for processes they have started
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, 1 + (os.cpu_count() or 1)))')

SECONDS ?= 600
# what all lists of versions are made with
COMPILE := uv pip compile --quiet --universal --all-extras --no-annotate --no-header --no-emit-index-url

.PHONY: help demo check test fast pytest coverage fuzz lint docs recording bench lock constraints audit clean
help:
	@echo "make demo    a 40-trial sweep of IGM on avdigits, and its report: under five minutes"
	@echo "make check   lint, types, layers and the fast tests: under 90 s on two cores"
	@echo "make test    lint, types, layers and all tests but those that need a GPU"
	@echo "make pytest  tests alone"
	@echo "make coverage  the tests, and what they cover"
	@echo "make fuzz    odd and damaged input for every gate, for SECONDS=600: no stack trace, no hang"
	@echo "make lint    ruff, import-linter and mypy alone"
	@echo "make docs    the documentation as a site, in site/"
	@echo "make recording  the README's terminal anew"
	@echo "make bench   the benchmarks, as ratios"
	@echo "make lock    constraints.txt and hashes.txt anew, with the newest versions (needs uv)"
	@echo "make audit   known weaknesses of the versions in hashes.txt (needs uv and network)"
	@echo "make clean   remove .venv and caches"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	  || { echo "igmsweep needs Python 3.11 to 3.14, found $$($(PYTHON) --version); name another with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH) -c constraints.txt -e .
	@touch $@

$(DEV): $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[text,flow]' --group dev
	@touch $@

demo: $(STAMP)
	$(BIN)/igmsweep demo

# side by side: tests wait for processes much of their time
test: $(DEV)
	@$(MAKE) --no-print-directory -j2 lint pytest

check: $(DEV)
	@$(MAKE) --no-print-directory -j2 lint fast

fast: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not (slow or gpu or browser or cluster)"

pytest: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not gpu"

coverage: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not gpu" --cov --cov-report=term:skip-covered --cov-report=xml

fuzz: $(DEV)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

docs: $(DEV)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

recording: $(DEV)
	rm -rf /tmp/demo && mkdir /tmp/demo && cp -r results /tmp/demo
	cd /tmp/demo && PATH="$(CURDIR)/$(BIN):$$PATH" python "$(CURDIR)/docs/recording/record.py" "$(CURDIR)/docs/recording/first-sweep.cast" \
	  --commands "$(CURDIR)/docs/recording/first-sweep.sh"
	$(BIN)/python docs/recording/render.py docs/recording/first-sweep.cast docs/images/first-sweep.svg

bench: $(DEV)
	for script in flat_matrix step_cost cli_startup sweep_overhead cache_epoch cache_memory analyze_10k; do $(BIN)/python benchmarks/$$script.py || exit 1; done

lock:
	@$(MAKE) --no-print-directory constraints NEWEST=--upgrade

# keeps the versions that are there, as far as pyproject.toml allows them; hashes.txt begins as a copy, whose versions are then kept
constraints:
	$(COMPILE) $(NEWEST) --group dev -o constraints.txt pyproject.toml
	cp constraints.txt hashes.txt
	$(COMPILE) --generate-hashes -o hashes.txt pyproject.toml

# --strict: a version of which nothing could be asked is no pass
audit:
	uvx pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r hashes.txt

clean:
	rm -rf $(VENV) .coverage coverage.xml .mypy_cache .ruff_cache .pytest_cache dist site
