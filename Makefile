# Each target makes or reuses its environments itself. PYTHON chooses the interpreter that makes them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Airflow 3.4, which the tests of the importer need.
VENV34 := .venv34
READY34 := $(VENV34)/.ready

.PHONY: demo airflow test lint format bench clean

demo: $(READY)  ## Run the sample job in a real Airflow: it fails, is cleared, and succeeds
	@$(BIN)/python -m scripts.demo

airflow: $(READY)  ## Leave an Airflow running with the examples in place
	@$(BIN)/python -m scripts.airflow_ui

test: $(READY) $(READY34)
	@scripts/install_debian_packages
	$(VENV34)/bin/python -m pytest tests/discovery
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY)
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(VENV34) .airflow build *.egg-info

# Where its interpreter or its pip does not work, an environment is made anew.
$(READY): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(READY34): $(VENV34)/bin/python pyproject.toml constraints-3.4.txt
	$(VENV34)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV34)
	$(VENV34)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-3.4.txt -e '.[test]' \
		apache-airflow-providers-git
	touch $@

$(BIN)/python $(VENV34)/bin/python: ;
