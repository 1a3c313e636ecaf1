"""``python -m pyrunner_airflow``: the command line."""

from pyrunner_airflow.cli.main import main

main(prog_name="pyrunner-airflow")
