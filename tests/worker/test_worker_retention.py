"""APP_LOG_RETENTION: which files the run's first row removes below APP_ROOT_LOG_DIR."""

import os
import time
from datetime import timedelta

import pytest
from pyrunner.core.config import Config
from pyrunner.core.pyrunner import PyRunner
from worker_jobs import run_row, source, write

DAYS = timedelta(days=1).total_seconds()
OLD = 31


@pytest.fixture
def logs(root):
    """Make the root log folder, with a function that puts a file of some age in it."""

    def add(name, days=OLD):
        path = write(root / "logs" / name, "text")
        os.utime(path, (time.time() - days * DAYS,) * 2)
        return path

    return add


@pytest.fixture
def purge(root):
    """Run the row that removes old files, in an app with this environment; return what the log says of it."""

    def run(retention="30", removes_old_logs=True, **env):
        write(root / "workers" / "workers.py", source("def run(self): pass"))
        env = {
            "APP_ROOT_LOG_DIR": str(root / "logs"),
            "APP_LOG_DIR": str(root / "logs" / "today"),
            **({} if retention is None else {"APP_LOG_RETENTION": retention}),
            **env,
        }
        ran = run_row(root, env=env, removes_old_logs=removes_old_logs)
        assert ran.outcome.code == 0
        return [line for line in ran.lines if "APP_LOG_RETENTION" in line[1]]

    return run


def left(root):
    folder = root / "logs"
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(str(path.relative_to(folder)) for path in files)


class TestWhatGoes:
    def test_files_older_than_so_many_days_however_deep(self, root, logs, purge):
        for name in ("a.log", "day/b.log", "day/deep/c.log"):
            logs(name)
        logs("young.log", days=29)
        assert purge() == [
            ("INFO", f"APP_LOG_RETENTION: removed 3 log files older than 30 days from {root / 'logs'}")
        ]
        assert left(root) == ["young.log"]

    def test_the_folders_stay(self, root, logs, purge):
        folder = logs("day/a.log").parent
        purge()
        assert os.listdir(folder) == []

    def test_pyrunner_removes_the_same_folders(self, root, logs, purge):
        """Of folders with files of one age; at a file directly in the root log folder PyRunner dies."""
        for days in (0, 29, 31, 400):
            os.utime(logs(f"{days}/a.log", days).parent, (time.time() - days * DAYS,) * 2)
        job = PyRunner.__new__(PyRunner)
        job.config = Config()
        job.config["root_log_dir"], job.config["log_retention"] = str(root / "logs"), 30
        purge()
        ours = left(root)
        job.cleanup_log_files()
        assert left(root) == ours == ["0/a.log", "29/a.log"]


class TestWhatStays:
    def test_all_beside_a_young_file_as_a_running_run_may_write_there(self, root, logs, purge):
        logs("backfilled/1.log")
        logs("backfilled/deep/2.log", days=0)
        assert purge() == []
        assert left(root) == ["backfilled/1.log", "backfilled/deep/2.log"]

    @pytest.mark.parametrize("name", ["APP_LOG_DIR", "APP_TEMP_DIR"])
    def test_the_runs_own_folders(self, root, logs, purge, name):
        logs("own/deep/a.log")
        purge(**{name: str(root / "logs" / "own" / "deep")})
        assert left(root) == ["own/deep/a.log"]

    def test_links_and_what_they_lead_to(self, root, logs, purge):
        aside = write(root / "aside" / "a.log", "text")
        os.utime(aside, (0, 0))
        logs("day/old.log")
        (root / "logs" / "file").symlink_to(aside)
        (root / "logs" / "day" / "folder").symlink_to(aside.parent)
        os.mkfifo(root / "logs" / "fifo")
        purge()
        assert aside.exists()
        assert left(root) == ["day/folder", "fifo", "file"]

    @pytest.mark.parametrize("retention", [None, "-1"])
    def test_all_without_the_variable_or_below_0(self, root, logs, purge, retention):
        logs("a.log")
        assert purge(retention) == []
        assert left(root) == ["a.log"]

    @pytest.mark.parametrize("retention", ["0", "", "a month", "1.5"])
    def test_all_where_it_is_no_number_of_days_which_is_told(self, root, logs, purge, retention):
        logs("a.log")
        [(level, text)] = purge(retention)
        assert level == "WARN"
        assert text.endswith("no number of days above 0: no log file goes")
        assert left(root) == ["a.log"]

    def test_all_where_the_app_lies_there_too(self, purge):
        [(level, text)] = purge(APP_ROOT_LOG_DIR="/")
        assert (level, text) == (
            "WARN",
            "APP_LOG_RETENTION: the app itself lies in APP_ROOT_LOG_DIR, /: no log file goes",
        )

    def test_all_in_the_other_rows(self, root, logs, purge):
        logs("a.log")
        assert purge(removes_old_logs=False) == []
        assert left(root) == ["a.log"]


class TestTheRowGoesOn:
    def test_without_a_root_log_folder(self, purge):
        assert purge(APP_ROOT_LOG_DIR="/nowhere/at/all") == []

    def test_where_it_is_no_folder(self, root, purge):
        file = write(root / "file", "")
        [(level, text)] = purge(APP_ROOT_LOG_DIR=str(file))
        assert (level, file.exists()) == ("WARN", True)
        assert text == f"APP_LOG_RETENTION: no log file goes: [Errno 20] Not a directory: '{file}'"

    def test_where_a_name_is_not_utf8(self, root, logs, purge):
        os.rename(logs("a.log"), os.fsencode(root / "logs") + b"/\xff.log")
        assert len(purge()) == 1
        assert left(root) == []

    def test_where_a_file_may_not_be_removed(self, root, logs, purge, monkeypatch):
        logs("day/a.log")
        logs("b.log")

        def unlink(name, dir_fd=None):
            if dir_fd is not None:
                raise PermissionError(13, "Permission denied", name)
            os.remove(name)

        monkeypatch.setattr(os, "unlink", unlink)
        (level, text), _ = purge()
        assert level == "WARN"
        assert f"what is old in {root}/logs/day could not all be removed: " in text
        assert left(root) == ["day/a.log"]
