# Everything starts here; `make` alone lists what there is.
# Needs Python 3.11, 3.12 or 3.13 with pip and venv, and make. Each target does the set-up that it needs; a repeat does
# nothing that is already done.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
export PYTHONWARNINGS ?= ignore::DeprecationWarning

# Always through this environment's interpreter, and from this folder, whose `wadlib` Python finds first: the scripts in
# .venv/bin name the folder that they were installed in, which is another one after the project was copied or renamed.
RUN    := $(BIN)/python -m
WADLIB := $(RUN) wadlib.cli
INSTALL := $(RUN) pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup lab report test lint bench render-notebooks handout slides clean moved

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv and install wadlib with everything it needs (once)

# .ready holds the place of the environment that was set up: an environment in another place was moved.
PLACE := $(shell cd '$(VENV)' 2>/dev/null && pwd -P)
KNOWN := $(shell cat '$(READY)' 2>/dev/null)
ifneq ($(KNOWN),)
ifneq ($(KNOWN),$(PLACE))
$(READY): moved
endif
endif
moved:
	@echo "$(VENV) was set up in another folder ($(KNOWN)): setting it up again."

# Every version is known, so nothing has to be resolved. uv does in half a minute what takes pip three; pip, where uv
# finds no packages (uv does not read pip's settings). setuptools is one of the packages: no isolated build.
$(READY): pyproject.toml requirements.txt
	@'$(PYTHON)' -c 'import sys; (3, 11) <= sys.version_info[:2] < (3, 14) or sys.exit("Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version + ". Name another: make setup PYTHON=python3.12")'
	@$(BIN)/python -c '' 2>/dev/null || '$(PYTHON)' -m venv --clear $(VENV)
	@echo "Installing into $(VENV) (once; one to three minutes, much of it downloads) ..."
	@$(INSTALL) --constraint requirements.txt uv
	@$(RUN) uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps --requirement requirements.txt \
		|| { echo "uv cannot: trying pip, which takes longer."; $(INSTALL) --no-deps --requirement requirements.txt; }
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@cd $(VENV) && pwd -P > .ready

lab: $(READY)  ## open the notebooks in JupyterLab (WAD_ROOT=… uses your WAD folder)
	MALLOC_ARENA_MAX=2 $(RUN) jupyter lab --notebook-dir=notebooks  # as in `make report`: less memory for TensorFlow's threads

report: $(READY)  ## run the notebooks and build the HTML book (WAD_ROOT=… uses your WAD folder)
	@$(WADLIB) report

# The core first, in a process that cannot import TensorFlow: whatever breaks there is simple, and known within seconds.
# Two processes share the tests, file by file, the longest first (tests/conftest.py): most tests keep one core busy.
JOBS   ?= 2
SPREAD := -n $(JOBS) --dist loadfile --no-loadscope-reorder

test: $(READY)  ## run every check: lint, types, all tests (MARK='not slow' for some, PYTEST=tests/viewer for one folder)
	@$(MAKE) --no-print-directory lint
ifndef PYTEST
	WADLIB_CORE_ONLY=1 $(RUN) pytest tests/core $(if $(MARK),-m "$(MARK)")
endif
	$(RUN) pytest $(if $(MARK),-m "$(MARK)") $(or $(PYTEST),$(SPREAD) --ignore=tests/core)

lint: $(READY)  ## ruff and mypy
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

bench: $(READY)  ## print the speed ratios that the README claims, measured now
	@$(RUN) benchmarks

render-notebooks: $(READY)  ## run notebooks/src/*.py and write the executed notebooks/*.ipynb
	@$(WADLIB) notebooks

handout: $(READY)  ## notebooks for a class in build/handout, with solutions in build/solutions, for nbgrader in build/nbgrader
	@$(WADLIB) notebooks --handout build/handout --solutions build/solutions --nbgrader build/nbgrader

slides: $(READY)  ## all figures as slides with speaker notes, in build/slides (opens from disk)
	@$(WADLIB) notebooks --slides build/slides

clean:  ## remove what was built (the environment and the rendered data stay)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
