# The two commands of the README are `make demo` and `make test`; the rest serves them.
PYTHON ?= python3
VENV ?= .venv
# How many tests run side by side.
JOBS ?= 2
# A file of versions that pip keeps to.
CONSTRAINTS ?=
BIN := $(VENV)/bin
# One that was made with other versions is made anew.
INSTALLED := $(VENV)/.installed$(if $(CONSTRAINTS),-$(notdir $(CONSTRAINTS)))

.PHONY: demo test test-packaging test-browser pictures rpm pages lint types contracts suite bench soak format venv clean

venv: $(INSTALLED)

$(INSTALLED): setup.cfg common/setup.cfg pyproject.toml $(CONSTRAINTS) $(if $(CONSTRAINTS),$(wildcard packaging/rpm/oldest-*.txt))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "focusd needs Python 3.9 or newer; this is %s. Use: make PYTHON=python3.9" % sys.version.split()[0] or 0)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e ./common -e '.[test]'
	@touch $@

demo: venv
	@$(BIN)/python packaging/demo

test: lint types contracts suite

lint: venv
	$(BIN)/ruff check . packaging/rpm/check-imports
	$(BIN)/ruff format --check . packaging/rpm/check-imports

types: venv
	$(BIN)/mypy src common/src docs/examples
	$(BIN)/mypy packaging/rpm packaging/repository packaging/pages

contracts: venv
	$(BIN)/lint-imports

suite: venv
	$(BIN)/pytest -n $(JOBS)

# Packages for Enterprise Linux, into dist/rpm: on such a machine for itself, elsewhere for 9 and 10.
rpm:
	python3 packaging/rpm/build.py --out dist/rpm $(ARGS)

# Man pages and completions, into dist/pages.
pages:
	PYTHONPATH=src:common/src python3 packaging/pages dist/pages

# Builds, publishes, installs, upgrades, boots and removes the packages. As root, with Debian's packages (.ci/run).
test-packaging: venv
	$(BIN)/pytest -n $(JOBS) packaging/tests

# The panel in a real browser: Debian's chromium and chromium-driver (.ci/run).
test-browser: venv
	$(BIN)/pytest browser

# The pictures of the panel in docs/.
pictures: venv
	$(BIN)/pytest browser/pictures.py

# How fast it is. ARGS="--page docs/performance.md" renews the published tables; ARGS=--quick is a smoke run.
bench: venv
	$(BIN)/python -m bench $(ARGS)

# Faults for so many minutes (docs/reliability.md). A seed repeats a run.
MINUTES ?= 5
SEED ?=
soak: venv
	$(BIN)/python bench/soak.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
