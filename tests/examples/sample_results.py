"""Reads what a run of an example left behind, in a form in which two runs can be compared."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import create_engine, text

Rows = list[dict[str, object]]

_TIME = re.compile(r" - \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")


def csv_rows(path: Path) -> Rows:
    """Return a CSV file's rows as the sample job reads them, an empty field as None."""
    frame = pd.read_csv(path).astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def table_rows(database_url: str, table: str = "orders") -> Rows:
    """Return a database table's rows in the order of the first column."""
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            return [
                dict(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1")).mappings()
            ]
    finally:
        engine.dispose()


def parquet_rows(path: Path) -> Rows:
    """Return a Parquet file's rows, a missing value as None."""
    return pq.read_table(path).to_pylist()


def extract_file(output: Path) -> Path:
    """Return the one Parquet file that the sample job wrote below its output folder."""
    (file,) = output.glob("data/extract_*.parquet")
    return file


def undated(messages: list[str]) -> list[str]:
    """Return messages with each date as DATE, so that runs of two days are equal."""
    return [_DATE.sub("DATE", message) for message in messages]


def log_lines(path: Path) -> list[str]:
    """Return a log file's lines without times, dates, blank lines and rulers."""
    lines = (_TIME.sub("", line.rstrip()) for line in path.read_text().splitlines())
    return undated([line for line in lines if line.strip("#")])


def logs(app: Path) -> dict[str, list[str]]:
    """Return the lines of each log file of an app's only day of logs, by file name."""
    return {path.name: log_lines(path) for path in sorted(app.glob("logs/*/*.log"))}
