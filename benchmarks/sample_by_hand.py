"""
The sample job written by hand, as a DAG file to lie beside the app: the same code, but no task list.

What a step needs is imported where it runs, as Airflow recommends, and not where the file is parsed.
"""

import os
import sys
import urllib.request
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

APP = Path(__file__).parent / "my_sample_app"


def app() -> Any:
    """Return the module that the task list's workers lie in."""
    os.environ |= {"APP_ROOT_DIR": str(APP), "APP_TEMP_DIR": str(APP / "temp")}
    sys.path.insert(0, str(APP / "python"))
    return import_module("workers")


def start(ti: Any) -> None:
    """Tell that the job begins, and on which day."""
    day = datetime.now().strftime("%Y-%m-%d")
    app().emit_slack_message(f"Starting daily data download for {day}")
    ti.xcom_push("run_date_str", day)


def download(name: str) -> None:
    """Fetch a file."""
    workers = app()
    urllib.request.urlretrieve(workers.source_url(name), workers.output_path("landing", name))


def load() -> None:
    """Load the first file into the database."""
    workers = app()
    workers.load_to_mysql(workers.pd.read_csv(workers.output_path("landing", "data1.csv")))


def write(ti: Any) -> None:
    """Write the second file as Parquet."""
    workers = app()
    table = workers.pd.read_csv(workers.output_path("landing", "data2.csv"))
    day = ti.xcom_pull(task_ids="1_start", key="run_date_str")
    workers.write_as_parquet(table, workers.output_path("data", f"extract_{day}.parquet"))


def end(ti: Any) -> None:
    """Tell that the job is done."""
    day = ti.xcom_pull(task_ids="1_start", key="run_date_str")
    app().emit_slack_message(f"Successfully completed daily data download for {day}")


with DAG("sample_by_hand", schedule=None):
    first = PythonOperator(task_id="1_start", python_callable=start)
    download_1 = PythonOperator(task_id="2_download", python_callable=download, op_args=["data1.csv"])
    download_2 = PythonOperator(task_id="3_download", python_callable=download, op_args=["data2.csv"])
    loaded = PythonOperator(task_id="4_load", python_callable=load)
    written = PythonOperator(task_id="5_write", python_callable=write)
    last = PythonOperator(task_id="6_end", python_callable=end)
    first >> download_1 >> loaded >> last
    first >> download_2 >> written >> last
