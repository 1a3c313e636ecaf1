# Each target makes or reuses .venv itself. PYTHON chooses the interpreter that makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo airflow test lint format bench clean

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

bench: $(READY)
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .airflow build *.egg-info

# Where its interpreter or its pip does not work, .venv is made anew.
$(READY): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(BIN)/python: ;
