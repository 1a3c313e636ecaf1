# Each target makes or reuses its environments itself. PYTHON chooses the interpreter that makes them.
PYTHON ?= python3
# AIRFLOW tries another than the pinned ones, in an environment of its own: make test AIRFLOW=3.4.0rc1
VENV := .venv$(AIRFLOW:%=-%)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Airflow 3.4, where the importer finds the lists.
VENV34 := .venv34
READY34 := $(VENV34)/.ready

DAG_FACTORY := $(VENV)/dag-factory

LOWEST := .venv-lowest

.PHONY: demo airflow test test-all test-34 test-pythons test-lowest record fuzz lint format docs dist bench bench-large bench-cluster clean

demo: $(READY)  ## Run the sample job in a real Airflow: it fails, is restarted, and succeeds
	@$(BIN)/python -m scripts.demo

airflow: $(READY)  ## Leave an Airflow running with the examples in place
	@$(BIN)/python -m scripts.airflow_ui

# Before each commit; test-all: these and all that take longer; test-34: all that there is for Airflow 3.4.
test test-lowest: SELECTED := -m 'not slow'
test: ON_34 := $(if $(AIRFLOW),,tests/discovery)
test-all: ON_34 := $(if $(AIRFLOW),,$(addprefix tests/,discovery $(addprefix scheduler/test_scheduler_,lists.py sample.py)))
test-all: $(VENV)/fab/.ready
test-34: $(VENV34)/fab/.ready
test test-all: $(READY) $(if $(AIRFLOW),,$(READY34))
	@scripts/install_debian_packages
	$(if $(ON_34),$(VENV34)/bin/python $(PYTEST) $(ON_34))
	$(BIN)/python $(PYTEST) $(SELECTED)

PYTEST := -m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder

test-34: $(READY34)
	@scripts/install_debian_packages
	$(VENV34)/bin/python $(PYTEST)

# The environment of Airflow 3.4 is there before: else the first of these Pythons would make it.
test-pythons: $(READY) $(READY34)  ## On the other Pythons that Airflow runs on, and this machine has: all on the newest, else `make test`
	@tests=test-all; for version in 3.14 3.13 3.12; do \
	    python=$$($(BIN)/python -m scripts.interpreters $$version) || continue; \
	    $(MAKE) --no-print-directory VENV=.venv-$$version PYTHON=$$python ON_34= $$tests || exit; \
	    tests=test; \
	done

test-lowest: $(LOWEST)/.ready  ## Test with the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python $(PYTEST) $(SELECTED)

record: export RECORD := docs/tested
record:  ## Run all of these tests, and write into docs/compatibility.md what has passed
	$(MAKE) ON_34= test-lowest test-pythons test-34 test-all
	$(BIN)/python -m scripts.compatibility

fuzz: $(READY)  ## Try 200,000 hostile lists; test-all tries some of them
	$(BIN)/python -m tests.fuzzing 200000

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv-docs/.ready  ## Build the site of these pages in build/site; a warning or a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

dist: .venv-dist/.ready  ## Build in dist/ what is released, and look whether PyPI would take it
	rm -rf dist
	.venv-dist/bin/python -m build --quiet
	.venv-dist/bin/twine check --strict dist/*

bench: $(READY) $(DAG_FACTORY)  ## Compare with hand-written DAGs, dag-factory and PyRunner
	@DAG_FACTORY=$(DAG_FACTORY) $(BIN)/python -m benchmarks

bench-large: $(READY)  ## Run a job of 500 rows, and the same by hand, three times each
	@$(BIN)/python -m benchmarks large

# In a folder of its own: as part of .venv it would be a plugin of every Airflow here. What it needs is there.
$(DAG_FACTORY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ dag-factory==1.1.0
	touch $@

bench-cluster: $(READY)  ## Run jobs of 200 and 1,000 rows, and the same by hand, on three hosts with Celery, three times each
	@$(BIN)/python -m benchmarks cluster

clean:
	rm -rf .venv .venv-* $(VENV34) .airflow build dist *.egg-info

$(READY): WANTED := $(if $(AIRFLOW),-e '.[test]' apache-airflow==$(AIRFLOW),-c constraints.txt -e '.[dev]')
$(READY): constraints.txt
$(READY34): WANTED := -c constraints-3.4.txt -e '.[test]'
$(READY34): constraints-3.4.txt

# Where its interpreter or its pip does not work, an environment is made anew.
$(READY) $(READY34): %/.ready: %/bin/python pyproject.toml
	$*/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $*
	$*/bin/python -m pip install --quiet --disable-pip-version-check $(WANTED)
	touch $@

# Airflow with the auth manager that has roles, whose python-dateutil is older than that of the others.
%/fab/.ready: %/.ready
	$(PYTHON) -m venv --clear $*/fab
	ls -d $(CURDIR) $(CURDIR)/$*/lib/python*/site-packages > $$(echo $*/fab/lib/python*/site-packages)/below.pth
	$*/fab/bin/python -m pip install --quiet --disable-pip-version-check apache-airflow-providers-fab==3.10.2
	touch $@

# What needs nothing of the package has an environment of its own, with the extra of that name.
EXTRA := import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]])
.venv-docs/.ready .venv-dist/.ready: .venv-%/.ready: pyproject.toml
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $$($(PYTHON) -c '$(EXTRA)' $*)
	touch $@

# What pip can't do: choose the lowest.
$(LOWEST)/.ready: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip compile --quiet --resolution lowest-direct --output-file $(LOWEST)/lowest.txt pyproject.toml
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(LOWEST)/lowest.txt -e '.[test]'
	touch $@

$(BIN)/python $(VENV34)/bin/python: ;
