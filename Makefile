# Each target makes or reuses .venv itself. PYTHON chooses the interpreter that makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

DAG_FACTORY := $(VENV)/dag-factory

.PHONY: demo airflow test lint format bench bench-large clean

demo: $(READY)  ## Run the sample job in a real Airflow: it fails, is cleared, and succeeds
	@$(BIN)/python -m scripts.demo

airflow: $(READY)  ## Leave an Airflow running with the examples in place
	@$(BIN)/python -m scripts.airflow_ui

test: $(READY)
	@scripts/install_debian_packages
	$(BIN)/python -m pytest

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
	rm -rf $(VENV) .airflow

# Where its interpreter or its pip does not work, .venv is made anew.
$(READY): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(BIN)/python: ;
