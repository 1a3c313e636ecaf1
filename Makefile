# Each target makes or reuses its environments itself. PYTHON chooses the interpreter that makes them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Airflow 3.4, which the tests of the importer need.
VENV34 := .venv34
READY34 := $(VENV34)/.ready

DAG_FACTORY := $(VENV)/dag-factory

.PHONY: demo airflow test test-all fuzz lint format bench bench-large clean

demo: $(READY)  ## Run the sample job in a real Airflow: it fails, is cleared, and succeeds
	@$(BIN)/python -m scripts.demo

airflow: $(READY)  ## Leave an Airflow running with the examples in place
	@$(BIN)/python -m scripts.airflow_ui

# Before each commit; test-all: these and all that take longer.
test: SELECTED := -m 'not slow'
test test-all: $(READY) $(READY34)
	@scripts/install_debian_packages
	$(VENV34)/bin/python -m pytest tests/discovery
	$(BIN)/python -m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder $(SELECTED)

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

bench: $(READY) $(DAG_FACTORY)  ## Compare with hand-written DAGs, dag-factory and PyRunner
	@DAG_FACTORY=$(DAG_FACTORY) $(BIN)/python -m benchmarks

bench-large: $(READY)  ## Run a job of 500 rows, and the same by hand, three times each
	@$(BIN)/python -m benchmarks large

# In a folder of its own: as part of .venv it would be a plugin of every Airflow here. What it needs is there.
$(DAG_FACTORY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ dag-factory==1.1.0
	touch $@

clean:
	rm -rf $(VENV) $(VENV34) .airflow build *.egg-info

$(READY): WANTED := -c constraints.txt -e '.[dev]'
$(READY): constraints.txt
$(READY34): WANTED := -c constraints-3.4.txt -e '.[test]' apache-airflow-providers-git
$(READY34): constraints-3.4.txt

# Where its interpreter or its pip does not work, an environment is made anew.
$(READY) $(READY34): %/.ready: %/bin/python pyproject.toml
	$*/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $*
	$*/bin/python -m pip install --quiet --disable-pip-version-check $(WANTED)
	touch $@

$(BIN)/python $(VENV34)/bin/python: ;
