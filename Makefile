# What a person types here: demo, test, bench, fix, clean. Needed: make and Python 3.9 or later.
#
#   make demo                   JupyterLab with the quickstart notebook, against a local emulator
#   make demo EDITION=2021      … of the later edition of the API
#   make demo API=notebooks     … with an instance of the current API
#   make demo CHECK=1           runs the quickstart without a browser and prints what it did
#   make test                   format, lint, types, import rules and all tests
#   make bench                  the figures
#   make pictures               the pictures of the README files
#   make fix                    formats, and mends what the linter can mend

EDITION ?= 2019
API ?= demanager
CHECK ?=

# Any Python that is new enough, to make .venv with; everything else happens inside it.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.10 python3.9 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && echo "$$name" && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types imports front unit browser bench pictures fix clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.9 or later is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making $(VENV) …"
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

# Each stamp says what is installed; it is made anew when pyproject.toml changes.
$(VENV)/.demo: $(VENV)/.made pyproject.toml
	@echo "Installing the demo …"
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml
	@echo "Installing what the tests need …"
	@$(PIP) install --editable '.[test]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	@exec $(BIN)/python -m modelarts_magics demo --edition $(EDITION) --api $(API) $(if $(CHECK),--check)

# One target for each thing that is checked; what another language or a browser needs is one more of them.
test: check front unit
check: format lint types imports

format: $(VENV)/.test
	$(BIN)/ruff format --check .

lint: $(VENV)/.test
	$(BIN)/ruff check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

# The front end, with the Node that pip brought: types, lint and unit tests; then what the wheel ships.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix labextension
SOURCES := $(shell find labextension/src labextension/scripts labextension/style labextension/schema -type f 2>/dev/null)

labextension/node_modules/.installed: $(VENV)/.test labextension/package.json labextension/package-lock.json
	@echo "Installing what the front end needs …"
	@$(NPM) ci --silent
	@touch $@

# The installed copy is what the pages of this environment load.
LAB := $(VENV)/share/jupyter/labextensions/modelarts-magics-lab
labextension/node_modules/.built: labextension/node_modules/.installed $(SOURCES)
	@$(NPM) run --silent build:prod
	@rm -rf $(LAB)/static $(LAB)/schemas
	@cp -R modelarts_magics/labextension/. $(LAB)/
	@touch $@

front: labextension/node_modules/.built
	$(NPM) run --silent lint
	$(NPM) test --silent

# A browser for the tests of the pages: the system's, else one that is installed here.
browser: $(VENV)/.test
	@$(BIN)/python tests/ui/browser.py

unit: $(VENV)/.test labextension/node_modules/.built browser
	$(BIN)/python -m pytest

bench: $(VENV)/.test labextension/node_modules/.built browser
	$(BIN)/python tests/bench/run.py

pictures: $(VENV)/.test labextension/node_modules/.built browser
	$(BIN)/python tests/ui/pictures.py

fix: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf modelarts_magics/static modelarts_magics/labextension labextension/node_modules labextension/lib
	rm -rf $(VENV) .cache .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
