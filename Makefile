# The two commands of the README are `make demo` and `make test`; the rest serves them. `make help` lists all.
PYTHON ?= python3
VENV ?= .venv
# How many tests run side by side: more than there are cores, for many wait for a process.
JOBS ?= $(shell expr $$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 2)
# Whoever is done takes from the others, in pieces that keep what belongs together.
SIDE_BY_SIDE = -n $(JOBS) --dist worksteal
# A file of versions that pip keeps to.
CONSTRAINTS ?=
BIN := $(VENV)/bin
# One that was made with other versions is made anew.
INSTALLED := $(VENV)/.installed$(if $(CONSTRAINTS),-$(notdir $(CONSTRAINTS)))

.PHONY: help demo test quick coverage test-bench test-packaging test-browser test-indi test-kstars test-monitoring \
	pictures rpm completions lint types contracts suite bench fleet soak format venv clean

help:
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

venv: $(INSTALLED) ## .venv, with all that the tests need

$(INSTALLED): setup.cfg common/setup.cfg pyproject.toml $(CONSTRAINTS) $(if $(CONSTRAINTS),$(wildcard packaging/rpm/oldest-*.txt))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "focusd needs Python 3.9 or newer; this is %s. Use: make PYTHON=python3.9" % sys.version.split()[0] or 0)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e ./common -e '.[test]'
	@touch $@

demo: venv ## focusd on the virtual controller, and every command of focus
	@$(BIN)/python packaging/demo

test: lint types contracts suite ## all that a change must pass; FOCUSER_EVERY_CASE=1 has each matrix whole

# What one waits for after each edit. Left out are matrices of which even `make test` has a sample, and all that starts a
# process, opens a port or has threads. Of the service it has what makes and ends motions.
PURE := tests/client tests/config tests/driver tests/indi/test_any_order.py tests/indi/test_device.py tests/indi/test_stream.py \
	tests/service/test_moves.py tests/service/test_stop.py tests/service/test_homing.py tests/service/test_faults.py \
	tests/service/test_terms.py tests/servers/pyro/object tests/storage tests/test_constants.py tests/test_errors.py
quick: lint types contracts ## in a minute: lint, types, contracts, pure rooms, driver, and motions, without matrices
	$(BIN)/pytest $(SIDE_BY_SIDE) -q -m "not matrix" $(PURE)

lint: venv ## ruff
	$(BIN)/ruff check . packaging/rpm/check-imports
	$(BIN)/ruff format --check . packaging/rpm/check-imports

types: venv ## mypy
	$(BIN)/mypy src common/src docs/examples bench tests common/tests browser indiserver monitoring conftest.py
	$(BIN)/mypy packaging/rpm packaging/repository packaging/completions

contracts: venv ## who may import whom
	$(BIN)/lint-imports

suite: venv ## the tests of `make test`
	$(BIN)/pytest $(SIDE_BY_SIDE) $(ARGS)

# Tracing slows the tests down, so they have more time.
COVERED := 97
coverage: venv ## branches of driver/ and service/ that the tests walk through
	$(BIN)/pytest $(SIDE_BY_SIDE) -q -m "not matrix" --timeout 600 --cov rockit.focuser.ok3z.driver \
		--cov rockit.focuser.ok3z.service --cov-branch --cov-report term:skip-covered --cov-fail-under $(COVERED) \
		tests/driver tests/service tests/servers/pyro/object

# On such a machine for itself, elsewhere for 9 and 10.
rpm: ## packages for Enterprise Linux, into dist/rpm
	python3 packaging/rpm/build.py --out dist/rpm $(ARGS)

completions: venv ## the completions in packaging/, after a change of an option
	$(BIN)/python packaging/completions/write.py

# Builds, publishes, installs, upgrades, boots and removes the packages. As root, with Debian's packages (.ci/run).
test-packaging: venv ## the packages, as root on Debian 12
	$(BIN)/pytest -n $(JOBS) packaging/tests

# With Debian's chromium and chromium-driver (.ci/run).
test-browser: venv ## the panel in a real browser
	$(BIN)/pytest -n 2 browser

# With Debian's indi-bin (.ci/run).
test-indi: venv ## the INDI driver in Debian's indiserver, before its clients
	$(BIN)/pytest indiserver/test_indiserver.py

# With Debian's kstars, xvfb and dbus, which are 340 MB: not in .ci/run.
test-kstars: venv ## the INDI driver in KStars, without a screen
	$(BIN)/pytest indiserver/test_kstars.py

# With Debian's prometheus, which has promtool (.ci/run).
test-monitoring: venv ## alerts and dashboard, with a real Prometheus
	$(BIN)/pytest monitoring

pictures: venv ## the pictures of the panel in docs/
	$(BIN)/pytest browser/pictures.py

test-bench: venv ## the tests of bench/
	$(BIN)/pytest $(SIDE_BY_SIDE) bench/tests

# ARGS="--page docs/performance.md" renews the published tables; ARGS=--quick is a smoke run.
bench: test-bench ## how fast it is, once its own tests have passed
	$(BIN)/python -m bench $(ARGS)

# Many daemons on one machine (docs/scale.md). ARGS="--compare ../other/.venv/bin" measures another clone before and after.
N ?= 100
fleet: venv ## N daemons on this machine: start, memory, processor, a stop of all
	$(BIN)/python bench/fleet.py $(N) $(ARGS)

# For so many minutes (docs/reliability.md). A seed repeats a run.
MINUTES ?= 5
SEED ?=
soak: venv ## hours of faults
	$(BIN)/python bench/soak.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

format: venv ## ruff mends what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## away with .venv and all that was made
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
