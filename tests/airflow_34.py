"""Where Airflow 3.4 is, which `make test` installs beside the one that the tests run with."""

from __future__ import annotations

from pathlib import Path

AIRFLOW_34 = Path(__file__).parents[1] / ".venv34" / "bin"
IMPORTER = '["pyrunner_airflow.discovery.importer.LstDagImporter"]'
