"""What is known of a worker folder without running the profile: where it is sure, bash says the same."""

import os
import time

import pytest

from pyrunner_airflow.check.profile import worker_folder
from pyrunner_airflow.worker.app import app_environment, find_app, worker_folders
from tests.check.checked import check, codes, row, write
from tests.worker.worker_jobs import RUN

STOCK = """\
#!/bin/bash
export APP_VERSION=0.0.1
export APP_NAME="my_app"
export APP_ROOT_DIR="$(cd $(dirname ${BASH_SOURCE})/..; pwd)"
export APP_CONFIG_DIR="${APP_ROOT_DIR}/config"
export APP_WORKER_DIR="${APP_ROOT_DIR}/python"
DATE=$(date +"%Y-%m-%d")
if [ ! -e ${APP_ROOT_DIR}  ]; then mkdir -p ${APP_ROOT_DIR}; fi
"""
SURE = {
    "as PyRunner's setup writes it": STOCK,
    "without quotes and braces": "export APP_ROOT_DIR=$(cd $(dirname $BASH_SOURCE)/.. && pwd)\n"
    "export APP_WORKER_DIR=$APP_ROOT_DIR/jobs\n",
    "with all quotes": 'export APP_ROOT_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")/.."; pwd)"\n'
    'export APP_WORKER_DIR="$APP_ROOT_DIR/my/jobs"\n',
    "by itself": 'export APP_WORKER_DIR="$(cd $(dirname ${BASH_SOURCE})/../jobs; pwd)"\n',
    "the root itself": f"{STOCK.replace('/python', '')}",
    "an absolute folder": "export APP_WORKER_DIR=/srv/jobs\n",
    "below an absolute folder": "APP_ROOT_DIR=/srv\nexport APP_WORKER_DIR=${APP_ROOT_DIR}/jobs  # ours\n",
    "a # within the name": "export APP_WORKER_DIR=/srv/a#b\n",
    "relative to the app's root": "export APP_WORKER_DIR=jobs\n",
    "not at all": STOCK.replace("APP_WORKER_DIR", "APP_OTHER_DIR"),
    "an empty profile": "",
}
UNSURE = {
    "a command": "export APP_WORKER_DIR=$(hostname)\n",
    "another variable": "export APP_WORKER_DIR=$HOME/jobs\n",
    "a default": 'export APP_WORKER_DIR="${APP_WORKER_DIR:-jobs}"\n',
    "a branch": "if true; then\n  export APP_WORKER_DIR=jobs\nfi\n",
    "two values": "export APP_WORKER_DIR=a\nexport APP_WORKER_DIR=b\n",
    "a root that is not known": "export APP_WORKER_DIR=${APP_ROOT_DIR}/jobs\n",
    "two roots": STOCK + "export APP_ROOT_DIR=/srv\n",
    "another file": "source other_profile\n",
    "another file, in short": ". other_profile\n",
    "eval": 'eval "export APP_${NAME}_DIR=jobs"\n',
    "a tilde": "export APP_WORKER_DIR=~/jobs\n",
    "more on the line": "export APP_WORKER_DIR=jobs; cd jobs\n",
}


@pytest.fixture
def app(tmp_path):
    def app(profile):
        folders = ("workers", "python", "jobs", "my/jobs")
        files = {f"{folder}/.keep": "" for folder in folders}
        return find_app(
            str(write(tmp_path, **files, **{"config/app_profile": profile}) / "config" / "my.lst")
        )

    return app


@pytest.mark.parametrize("profile", SURE.values(), ids=SURE)
def test_where_it_is_plain_it_is_what_bash_says(app, tmp_path, profile):
    found = app(profile)
    folder, is_sure = worker_folder(found.profile)
    environment = app_environment(found, RUN, str(tmp_path / "writable"), print)
    assert is_sure
    assert worker_folders(found, {"APP_WORKER_DIR": folder or ""}) == worker_folders(found, environment)


@pytest.mark.parametrize("profile", UNSURE.values(), ids=UNSURE)
def test_where_it_is_not_nothing_is_guessed(app, profile):
    assert worker_folder(app(profile).profile) == (None, False)


def test_a_profile_that_may_not_be_read_tells_nothing(app, monkeypatch):
    found = app("")
    os.unlink(found.profile)
    assert worker_folder(found.profile) == (None, False)


@pytest.mark.parametrize(
    "options",
    ['app_root = "/nowhere/app"', 'env.APP_WORKER_DIR = "/nowhere/app/workers"'],
    ids=["app_root", "APP_WORKER_DIR"],
)
def test_what_is_not_on_this_machine_is_looked_for_beside_the_list(tmp_path, options):
    root = write(tmp_path, **{"workers/workers.py": "from pyrunner import Worker\n"})
    findings = check(root, row(), row(id=2, module="no_such_module"), options=f"#AIRFLOW pyrunner.{options}")
    assert [(found.severity, found.code) for found in findings.diagnostics] == [
        ("warning", "class-not-found")
    ]
    (note,) = findings.notes
    assert "/nowhere/app" in note
    assert "is not on this machine; looked for workers in" in note
    assert note.endswith("; not found there: no_such_module")


def test_a_worker_folder_of_the_app_that_is_not_there_is_none(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": "", "config/app_profile": STOCK})
    assert codes(check(root, row())) == ["module-not-found"]


@pytest.mark.parametrize(
    ("value", "notes"), [("jobs", 0), ("$ENV{APP_ROOT_DIR}/jobs", 1)], ids=["plain", "a variable"]
)
def test_the_lists_own_option_goes_first(tmp_path, value, notes):
    worker = "from pyrunner import Worker\nclass W(Worker):\n    def run(self): pass\n"
    root = write(tmp_path, **{"jobs/workers.py": worker, "config/app_profile": UNSURE["a command"]})
    findings = check(root, row(), options=f'#AIRFLOW pyrunner.env.APP_WORKER_DIR = "{value}"')
    assert (codes(findings), len(findings.notes)) == ([], notes)


@pytest.mark.parametrize("line", ["export APP_WORKER_DIR=a#", "APP_ROOT_DIR=#", "export #x", "#. x"])
def test_a_line_of_many_blanks_is_read_in_time_that_grows_with_it(tmp_path, line):
    times = []
    for size in (20_000, 80_000):
        (tmp_path / "app_profile").write_text(line.replace("#", " " * size))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            worker_folder(str(tmp_path / "app_profile"))
            best = min(best, time.process_time() - start)
        times.append(best)
    assert times[1] < 10 * times[0] + 0.1


def test_a_profile_without_end_tells_nothing(tmp_path):
    with (tmp_path / "app_profile").open("w") as file:
        file.truncate(10_000_001)
    assert worker_folder(str(tmp_path / "app_profile")) == (None, False)
    os.unlink(tmp_path / "app_profile")
    os.mkfifo(tmp_path / "app_profile")
    assert worker_folder(str(tmp_path / "app_profile")) == (None, False)
