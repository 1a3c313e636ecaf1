# ruff: noqa: UP032 - a job of 2020 that nobody had to rewrite
import json
import os
import urllib.request
from datetime import datetime
from pathlib import Path

import pandas as pd
from pyrunner import Worker
from sqlalchemy import create_engine


def source_url(name):
    # Without a server the job still runs: it "downloads" the files of its own data folder.
    default = Path(os.environ["APP_ROOT_DIR"], "data").as_uri()
    return "{}/{}".format(os.environ.get("SAMPLE_DATA_URL", default).rstrip("/"), name)


def output_path(folder, name):
    path = Path(os.environ.get("SAMPLE_OUTPUT_DIR", os.environ["APP_TEMP_DIR"]), folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def emit_slack_message(message):
    webhook_url = os.environ.get("SAMPLE_SLACK_WEBHOOK_URL")
    if not webhook_url:
        print("Slack: {}".format(message))
        return
    body = json.dumps({"text": message}).encode()
    request = urllib.request.Request(webhook_url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def load_to_mysql(df):
    default = "sqlite:///{}".format(output_path("data", "sample.sqlite"))
    engine = create_engine(os.environ.get("SAMPLE_DATABASE_URL", default))
    # The table is replaced, so that running the row again leaves no order in it twice.
    df.to_sql("orders", engine, if_exists="replace", index=False)
    engine.dispose()


def write_as_parquet(df, path):
    df.to_parquet(path, engine="pyarrow", index=False)


# Broadcast job start notification
class Start(Worker):
    def run(self):
        # Print function also works, but we can take advantage of
        # advanced features with the provided logger.
        self.logger.info("Starting example batch process")

        run_date_str = datetime.now().strftime("%Y-%m-%d")
        emit_slack_message("Starting daily data download for {}".format(run_date_str))

        # The self.context is a special thread-safe shared dictionary,
        # which can be read or modified from any Worker.
        self.context["run_date_str"] = run_date_str


# Download data file 1
class DownloadFile1(Worker):
    def run(self):
        self.logger.info("Initiating File Download 1")
        url = source_url("data1.csv")
        urllib.request.urlretrieve(url, output_path("landing", "data1.csv"))


# Download data file 2
class DownloadFile2(Worker):
    def run(self):
        self.logger.info("Initiating File Download 2")
        url = source_url("data2.csv")
        urllib.request.urlretrieve(url, output_path("landing", "data2.csv"))


# Load file 1 to MYSQL
class LoadMySQL(Worker):
    def run(self):
        self.logger.info("Loading MySQL table")
        df = pd.read_csv(output_path("landing", "data1.csv"))
        load_to_mysql(df)


# Write file 2 as parquet
class WriteParquet(Worker):
    def run(self):
        self.logger.info("Writing Parquet file")

        # Once again, we are accessing the shared dictionary, this time
        # to read the value originally set by the Start Worker.
        run_date_str = self.context["run_date_str"]
        df = pd.read_csv(output_path("landing", "data2.csv"))
        write_as_parquet(df, output_path("data", "extract_{}.parquet".format(run_date_str)))


# Broadcast job end notification
class End(Worker):
    def run(self):
        self.logger.info("Completed example batch process")
        run_date_str = self.context["run_date_str"]
        emit_slack_message("Successfully completed daily data download for {}".format(run_date_str))
