# `make` lists what there is. `make demo` and `make test` need Python 3.11 and make, nothing else.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3))
BIN := .venv/bin
INSTALLED := .venv/.installed
MODULES := $(patsubst %/pyproject.toml,%,$(wildcard modules/*/pyproject.toml))

SCRIPTS := $(shell find themes -type f \( -name '*.js' -o -name '*.css' \) -not -path '*/dist/*')
BUILT := themes/base/static/base/dist/portal.js
STATIC := $(shell find portal modules themes -type f -path '*/static/*' -not -path '*/dist/*')
COLLECTED := var/static/staticfiles.json
CATALOGUES := $(shell find portal modules themes -type f -name '*.po')
COMPILED := .cache/messages

TYPED := portal/registry.py $(shell find portal modules -not -path '*/build/*' -not -path '*skeleton*' \
  \( -name rules -o -name services -o -name rules.py -o -name services.py \))
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n auto --maxprocesses=8 --dist=worksteal
COVERAGE := --cov --cov-report=term:skip-covered --durations=30 --durations-min=5
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
  --python-version 3.11

.PHONY: help demo test bench validation lint lock assets messages clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) $(BUILT) $(COMPILED) $(COLLECTED) ## Run the whole portal here (Ctrl-C stops it)
	@exec $(BIN)/python -m portal.demo

test: $(INSTALLED) $(BUILT) $(COMPILED) ## Run every test; ARGS="tests/portal -k sign" some of them
	@exec $(PYTEST) $(PARALLEL) $(or $(ARGS),$(COVERAGE))

bench: $(INSTALLED) $(BUILT) $(COMPILED) ## Measure speed, as ratios within one run
	@exec $(BIN)/python -m tests.bench $(ARGS)

validation: $(INSTALLED) $(BUILT) $(COMPILED) ## Run every test and write build/validation
	@exec $(PYTEST) $(PARALLEL) --validation-dir=build/validation \
	  --junitxml=build/validation/results.xml $(ARGS)

lint: $(INSTALLED) ## Check style, types, templates, imports and translations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/djlint --quiet --lint themes portal modules
	$(BIN)/lint-imports
	$(BIN)/python -m portal.config.catalogues check

lock: $(INSTALLED) ## Lock the newest versions of requirements/*.in, with hashes
	$(LOCK) --upgrade requirements/production.in -o requirements/production.txt
	$(LOCK) --upgrade -c requirements/production.txt requirements/development.in \
	  -o requirements/development.txt

assets: $(INSTALLED) ## Build the script and style of the pages
	$(BIN)/python -m portal.config.build_assets

messages: $(INSTALLED) ## Compile the translations
	$(BIN)/python -m portal.config.catalogues compile

clean: ## Remove what was built; keeps .venv and the demo's data (var/demo)
	rm -rf build .cache .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	rm -rf .coverage .coverage.* var/static $(dir $(BUILT))
	find portal modules tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the commands stand on: made once, and again only when something it is made from changes

define MAKE_VENV
test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "This needs Python 3.11 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)."; \
  echo "Where it is called something else: make PYTHON=/path/to/python3.11 …"; exit 1; }; \
"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
  echo "$(PYTHON) cannot make virtual environments."; \
  echo "Debian, Ubuntu: apt-get install python3-venv"; exit 1; }; \
echo "Making .venv with $(PYTHON) …"; "$(PYTHON)" -m venv --clear .venv
endef

$(INSTALLED): requirements/development.txt pyproject.toml $(MODULES:%=%/pyproject.toml)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(MAKE_VENV); }
	@echo "Installing what requirements/development.txt locks …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes \
	  -r requirements/development.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps \
	  --no-build-isolation -e . $(MODULES:%=-e %)
	@touch $@

$(BUILT): $(INSTALLED) $(SCRIPTS) package.json package-lock.json
	@$(BIN)/python -m portal.config.build_assets
	@touch $@

$(COMPILED): $(INSTALLED) $(CATALOGUES)
	@$(if $(CATALOGUES),$(BIN)/python -m portal.config.catalogues compile)
	@mkdir -p $(@D) && touch $@

$(COLLECTED): $(INSTALLED) $(BUILT) $(STATIC)
	@echo "Collecting static files …"
	@$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	@touch $@

# --- what the outside world does to the running demo, from a second terminal

.PHONY: demo-booking demo-vials demo-faults manage

demo-booking: $(INSTALLED) ## Send a booking by HL7 to the running demo; ARGS="--day 2026-12-01 --at 09:30"
	@$(BIN)/python manage.py demo_booking $(ARGS)

demo-vials: $(INSTALLED) ## Drop dispenser files into the running demo's folder; ARGS="--activity 20000"
	@$(BIN)/python manage.py demo_vials $(ARGS)

demo-faults: $(INSTALLED) ## Let an outside system of the running demo fail; ARGS="registry slow"
	@$(BIN)/python -m portal.demo.faults $(ARGS)

manage: $(INSTALLED) ## A command of the running demo: make manage ARGS=audit_verify
	@$(BIN)/python manage.py $(ARGS)
