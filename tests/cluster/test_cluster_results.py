"""The same jobs on several hosts, whose clocks are 45 seconds apart: the same results as on one."""

from __future__ import annotations

import subprocess
import textwrap
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from scripts.interpreters import INTERPRETERS, OLDEST
from tests.cluster.cluster import CLOCKS, Cluster
from tests.context_values import VALUES
from tests.examples import sample_results
from tests.scheduler.apps import App, Apps, Run
from tests.scheduler.both import Both, run_both

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow_cluster")]

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "example_lst" / "my_sample_app"
FAN = range(2, 62)


def on(queues: dict[int, str], rows: str) -> str:
    """Return a list whose rows go to these queues."""
    return "".join(f'#AIRFLOW tasks.{row}.queue = "{queue}"\n' for row, queue in queues.items()) + rows


def texts_of(folder: Path) -> dict[str, str]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


class TestSample:
    @pytest.fixture(scope="class")
    @staticmethod
    def app(apps: Apps) -> App:
        parts = {
            name: text
            for name, text in texts_of(SAMPLE).items()
            if name.split("/")[0] in ("config", "data", "python")
        }
        name = "config/my_sample_app.lst"
        parts[name] = on({1: "wa", 2: "wb", 3: "wa", 4: "wa", 5: "wb", 6: "wb"}, parts[name])
        return apps.add_folder("my_sample_app", parts)

    @pytest.fixture(scope="class")
    @staticmethod
    def run(app: App, spread: App) -> Run:
        return app.trigger().finish()

    def test_each_row_succeeds_at_once(self, run):
        assert set(run.states().values()) == {"success"}
        assert set(run.attempts().values()) == {1}

    def test_each_runs_where_its_queue_says(self, run, cluster):
        addresses = [cluster.hosts[name].address for name in ("wa", "wb", "wa", "wa", "wb", "wb")]
        assert [each["hostname"] for each in run.instances().values()] == addresses

    def test_the_results_are_those_of_one_host(self, run, app):
        data = SAMPLE / "data"
        assert sample_results.table_rows(
            f"sqlite:///{app.path}/temp/data/sample.sqlite"
        ) == sample_results.csv_rows(data / "data1.csv")
        extract = sample_results.extract_file(app.path / "temp")
        assert sample_results.parquet_rows(extract) == sample_results.csv_rows(data / "data2.csv")
        ((_, lines),) = [each for each in sample_results.logs(app.path).items() if each[0] == "end.log"]
        assert any("Completed example batch process" in line for line in lines)

    def test_a_log_is_shown_from_the_host_that_has_it(self, run):
        assert "Initiating File Download 1" in run.log("2_download_file_1")


FIRST, CHANGE, READ, KILLED = 1, 62, 63, 64
QUEUES = {FIRST: "wa", **{row: ("wa", "wb")[row % 2] for row in FAN}, CHANGE: "wb", READ: "wa"}
# Before the others, while the clock of its host is behind what the first has written by its own.
ROWS = f"""#AIRFLOW tasks.{CHANGE}.priority_weight = 1000
{FIRST}|-1|1|0|Write|workers|Write||
{CHANGE}|{FIRST}|1|0|Change|workers|Change||
{READ}|{",".join(map(str, (*FAN, CHANGE)))}|1|0|Read|workers|Read||
{KILLED}|-1|2|0|Killed|workers|Killed||
""" + "".join(f"{row}|{FIRST}|1|0|Fan|workers|Fan||\n" for row in FAN)
WORKERS = """
import os
import signal
import socket
import time
from context_values import VALUES, image

class Noting(Worker):
    def on_exit(self):
        app = {name: value for name, value in os.environ.items() if name.startswith("APP_")}
        note("ran", self.airflow["ti"].task_id, socket.gethostname(), time.time() - time.monotonic(), app)

class Write(Noting):
    def run(self):
        self.context.update(VALUES)
        self.context.update({"x": 1, "gone": 1})

class Fan(Noting):
    def run(self):
        self.context[self.airflow["ti"].task_id] = self.context["x"]
        self.context["side_by_side"] = self.airflow["ti"].task_id

class Change(Noting):
    def run(self):
        self.context["x"] = 2
        del self.context["gone"]

class Read(Noting):
    def run(self):
        note("unequal", [name for name, value in VALUES.items() if image(self.context[name]) != image(value)])
        note("read", {key: value for key, value in self.context.items() if key not in VALUES})

class Killed(Noting):
    def run(self):
        before = self.context.get("before")
        if before is None:
            self.context["before"] = socket.gethostname()
            time.sleep(1.5)
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        note("after the kill", before)
"""


@pytest.fixture(scope="module")
def spread(apps: Apps) -> App:
    files = {"workers/context_values.py": (ROOT / "tests" / "context_values.py").read_text()}
    app = apps.add("spread", on(QUEUES, ROWS), WORKERS, files)
    app.started = app.trigger()
    return app


class TestContext:
    @pytest.fixture(scope="class")
    @staticmethod
    def run(spread: App) -> Run:
        return spread.started.finish()

    @pytest.fixture(scope="class")
    @staticmethod
    def seen(run: Run, spread: App) -> list[list]:
        return spread.notes()

    def test_each_row_succeeds(self, run):
        assert set(run.states().values()) == {"success"}, run.log(f"{READ}_read")

    def test_the_hosts_clocks_differ(self, seen):
        clocks = {host: clock for what, _, host, clock, _ in (each for each in seen if each[0] == "ran")}
        assert clocks["wa"] - clocks["wb"] == pytest.approx(CLOCKS["wa"] - CLOCKS["wb"], abs=1)

    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_comes_equal_and_of_the_same_type(self, seen, name):
        (unequal,) = [each[1] for each in seen if each[0] == "unequal"]
        assert name not in unequal

    def test_a_write_beats_those_above_it_whatever_the_clocks_say(self, seen):
        (read,) = [each[1] for each in seen if each[0] == "read"]
        assert (read["x"], "gone" in read) == (2, False)
        assert {f"{row}_fan": read[f"{row}_fan"] for row in FAN} == {f"{row}_fan": 1 for row in FAN}

    def test_of_writes_side_by_side_the_last_by_the_hosts_clocks_is_seen(self, seen):
        (read,) = [each[1] for each in seen if each[0] == "read"]
        assert read["side_by_side"] in [f"{row}_fan" for row in FAN if row % 2 == 0]

    def test_each_row_has_the_same_environment(self, seen):
        first, *others = [each[4] for each in seen if each[0] == "ran"]
        assert first["APP_NAME"] == "spread"
        assert all(other == first for other in others)

    def test_of_a_row_whose_task_is_killed_nothing_is_lost_that_is_older_than_a_moment(self, run, seen):
        ((_, before),) = [each for each in seen if each[0] == "after the kill"]
        assert before in CLOCKS
        assert run.attempts()[f"{KILLED}_killed"] == 2


class TestManyGeneratedRows:
    """The example of 165 rows, wherever there is room: 160 commands, and four that wait for forty each."""

    @pytest.fixture(scope="class")
    @staticmethod
    def app(apps: Apps, tmp_path_factory, spread: App) -> Both:
        folder = tmp_path_factory.mktemp("pyrunner")
        return run_both(apps, folder, "generated_rows", apps_folder=ROOT / "example_lst")

    def test_every_row_succeeds(self, app):
        states = app.runs[0].states()
        assert len(states) == 165
        assert set(states.values()) == {"success"}

    def test_each_host_runs_some(self, app, cluster):
        hosts = {each["hostname"] for each in app.runs[0].instances().values()}
        assert hosts == {host.address for host in cluster.hosts.values()}

    def test_each_command_left_what_it_leaves_under_pyrunner(self, app):
        ours, theirs = (
            {path.name: path.read_text() for path in (folder / "temp").glob("*/*")}
            for folder in (app.ours, app.theirs)
        )
        assert len(ours) == 160
        assert ours == theirs

    def test_the_log_files_are_pyrunners(self, app):
        logs = sample_results.logs(app.ours)
        assert logs["north.log"] == ["# LOG START", "INFO - 40", "# LOG END"]
        assert logs == sample_results.logs(app.theirs)


@pytest.mark.skipif(not OLDEST, reason="no other Python on this machine")
class TestInterpreter:
    """Rows in an interpreter of their own hand on the context from host to host."""

    ROWS = f"""
    #AIRFLOW [pyrunner]
    #AIRFLOW python = '{OLDEST}'
    1|-1|1|0|Write|workers|Write||
    2|1|1|0|Read|workers|Read||
    """
    WORKERS = """
    import platform, socket
    from datetime import datetime
    from decimal import Decimal

    class Write(Worker):
        def run(self):
            self.context.update(host=socket.gethostname(), day=datetime(2026, 1, 2), price=Decimal("1.5"))

    class Read(Worker):
        def run(self):
            note(platform.python_version(), socket.gethostname(), repr(sorted(self.context.items())))
    """

    def test_a_row_reads_what_one_on_another_host_wrote(self, apps: Apps, spread: App):
        app = apps.add("own_python", on({1: "wa", 2: "wb"}, textwrap.dedent(self.ROWS)), self.WORKERS)
        assert app.trigger().finish().state == "success"
        ((version, host, context),) = app.notes()
        assert INTERPRETERS[version.rpartition(".")[0]] == OLDEST
        assert host == "wb"
        assert context == repr([("day", datetime(2026, 1, 2)), ("host", "wa"), ("price", Decimal("1.5"))])


class TestClearedOntoAnotherHost:
    """Its clock is 45 s behind that of the host where the row ran before."""

    ROWS = "1|-1|1|0|Write|workers|Write||\n2|1|1|0|Look|workers|Look||\n3|1,2|1|0|Read|workers|Read||\n"
    WORKERS = """
    import socket

    class Write(Worker):
        def run(self):
            self.context["x"] = 0.5 if socket.gethostname() == "wa" else 7

    class Look(Worker):
        def run(self):
            self.context["y"] = self.context["x"]

    class Read(Worker):
        def run(self):
            note(repr(self.context["x"]))
    """

    def test_what_it_wrote_there_is_seen(self, apps: Apps, cluster: Cluster, spread: App):
        app = apps.add("moved", on({1: "wa"}, self.ROWS), self.WORKERS)
        run = app.trigger().finish()
        app.write("config/moved.lst", on({1: "wb"}, self.ROWS))
        cluster.wait(lambda: cluster.tasks("moved")["1_write"]["queue"] == "wb", "the other queue", 60)
        run.clear("1_write", "3_read", only_failed=False)
        assert run.finish().state == "success"
        assert app.notes() == [["0.5"], ["7"]]


def test_a_row_whose_host_lacks_its_workers_says_where_it_looked_and_where_that_was(
    apps: Apps, cluster: Cluster
):
    app = apps.add("lacking", on({1: "wb"}, "1|-1|3|0|Look|workers|Look||\n"), "class Look(Worker): ...\n")
    workers = str(app.path / "workers")
    subprocess.run(cluster.hosts["wb"].command("mount", "-t", "tmpfs", "tmpfs", workers), check=True)
    run = app.trigger().finish()
    subprocess.run(cluster.hosts["wb"].command("umount", workers), check=True)
    assert run.attempts() == {"1_look": 1}
    log = run.log("1_look")
    assert f"there is no module workers in {workers}" in log
    assert "on wb, " in log
