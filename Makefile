# Everything starts here; `make` alone lists what there is.
# Needs Python 3.11, pip, venv and make. Each target does the set-up that it needs; a repeat does
# nothing that is already done.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
export PYTHONWARNINGS ?= ignore::DeprecationWarning

.DEFAULT_GOAL := help
.PHONY: help setup lab report test lint bench render-notebooks handout clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv and install wadlib with everything it needs (once)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info[:2] >= (3, 11), "Python 3.11 or newer is needed, this is " + sys.version'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once, a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[book,test]'
	@touch $@

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=notebooks

report: $(READY)  ## run the notebooks and build the HTML book (WAD_ROOT=… uses your WAD folder)
	@$(BIN)/wadlib report

test: $(READY)  ## run every check: lint, types, all tests (MARK='not slow' … for some)
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest $(if $(MARK),-m "$(MARK)") $(PYTEST)

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## print the speed ratios that the README claims, measured now
	@$(BIN)/python -m benchmarks

render-notebooks: $(READY)  ## run notebooks/src/*.py and write the executed notebooks/*.ipynb
	@$(BIN)/wadlib notebooks

handout: $(READY)  ## notebooks for a class, with the solutions taken out, in build/handout
	@$(BIN)/wadlib notebooks --handout build/handout

clean:  ## remove what was built (the environment and the rendered data stay)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
