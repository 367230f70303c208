# Everything lives in .venv; a target makes what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# As many processes as there are CPUs; what shares fixtures stays in one.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --durations 10

.PHONY: help demo demo-own test test-rest test-all test-shuffled check format bench fuzz load accuracy screenshots faults clean
help:  ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.local  ## Deploy to the local cloud, caption a picture, take everything down.
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/demo.sh

demo-own: $(VENV)/.local  ## From an empty folder: init, run, serve, deploy, invoke, take everything down.
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/demo_own.sh

test: $(VENV)/.dev  ## The tests that want neither an engine nor a browser nor patience.
	@$(PYTEST) -m 'not docker and not browser and not slow' $(ARGS)

test-rest: $(VENV)/.dev  ## The tests that `make test` leaves out. Needs an engine and Chromium: CONTRIBUTING.md.
	@TEST_REQUIRE_DOCKER=1 TEST_REQUIRE_BROWSER=1 $(PYTEST) -m 'docker or browser or slow' $(ARGS)

test-all: test test-rest  ## Every test.

test-shuffled: $(VENV)/.dev  ## What `make test` runs, in an order that differs each time; ARGS=--randomly-seed=N repeats it.
	@$(PYTEST) -p randomly -m 'not docker and not browser and not slow' $(ARGS)

check: $(VENV)/.dev  ## Formatting, lint and types.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy lambdacap image tests

format: $(VENV)/.dev  ## Put the code into its form.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## Measure, and print tables.
	@for script in $(filter-out %/fuzz.py %/load.py,$(wildcard tests/benchmarks/*.py)); do echo "\$$ $$script"; $(BIN)/python $$script || exit 1; done

fuzz: $(VENV)/.dev  ## Spoil and build 20,000 pictures and see the function answer each.
	@$(BIN)/python tests/benchmarks/fuzz.py $(ARGS)

load: $(VENV)/.dev  ## Load on the local cloud: 10,000 requests, too many at once, a crash. Needs wrk.
	@$(BIN)/python tests/benchmarks/load.py $(ARGS)

accuracy: $(VENV)/.local  ## Share of 1,000 fresh scenes that the demo model captions exactly right.
	@PYTHONPATH=image $(BIN)/python -m demo.evaluate

screenshots: $(VENV)/.dev  ## Pictures of the web page for the documentation.
	@$(BIN)/python tests/browser/screenshots.py

faults: $(VENV)/.dev  ## Every AWS call x every fault, a long random walk, odd answers: nothing may get lost.
	@$(BIN)/python -m tests.faults.matrix
	@$(BIN)/python -m tests.faults.walk
	@$(BIN)/python -m tests.faults.odd

clean:  ## Remove what was made here.
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lambdacap needs Python 3.11 or newer; set PYTHON=python3.x")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV): a minute or three, for 310 MB ..." >&2
	@$(PIP) --editable '.[local]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV) for development ..." >&2
	@$(PIP) --editable '.[local,model,dev]'
	@touch $@ $(VENV)/.local
