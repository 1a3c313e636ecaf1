"""A real Airflow for the tests that need one, and what is said about skipped tests."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psutil
import pytest

from scripts import interpreters
from scripts.compatibility import PAGE, Record, render
from scripts.local_airflow import LocalAirflow
from tests.postgres import Postgres, postgres_server
from tests.scheduler.apps import Apps, DataServer, apps_in
from tests.servers import SHARED
from tests.setups import SETUP, VERSION

# Airflow reads a home when it is imported, in the process of the tests too: not that of whoever runs them.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow_home_")

# A shell's background jobs ignore Ctrl-C, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# All that a run of the tests starts has this in its environment: who runs them.
RUN_BY = "TESTS_RUN_BY"
os.environ.setdefault(RUN_BY, str(os.getpid()))

# How fast the machine is proves nothing.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

ROOT = Path(__file__).parents[1]
collect_ignore = SETUP.left_out
NO_PACKAGE = "apt-get install"  # what a skip for want of a Debian package tells its reader to do


def pytest_configure(config: pytest.Config) -> None:
    config.option.deselect = [*(config.option.deselect or ()), *(f"tests/{name}" for name in SETUP.left_out)]


def pytest_report_header() -> str:
    return interpreters.header()


@pytest.fixture(scope="session")
def sample_server() -> Iterator[DataServer]:
    """Serve the sample job's files to Airflow's tasks, and take its messages."""
    with DataServer(ROOT / "example_lst" / "my_sample_app" / "data") as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One database server for all tests."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, sample_server: DataServer, postgres: Postgres
) -> Iterator[LocalAirflow]:
    """One Airflow for all tests, which finds task lists; started when the first test asks for it."""
    url = sample_server.url
    env = {"SAMPLE_DATA_URL": url, "SAMPLE_SLACK_WEBHOOK_URL": f"{url}/slack"}
    local = LocalAirflow(
        tmp_path_factory.mktemp("airflow"),
        env=env,
        settings={
            "core": {"allowed_deserialization_classes": "airflow.* context_values.*"},
            **SETUP.settings,
        },
        database=postgres.database("airflow"),
    )
    for loader in SETUP.loaders:
        local.add(loader)
    with local:
        SHARED["airflow"] = local.stop
        yield local


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop a shared Airflow after the last test that needs it: what comes next needs the cores."""
    yield
    for name in set(SHARED) - set(nextitem.fixturenames if nextitem else ()):
        SHARED.pop(name)()


@pytest.fixture(scope="module")
def apps(airflow: LocalAirflow) -> Iterator[Apps]:
    """Put apps into Airflow's dags folder; they go when the module's tests are done."""
    yield from apps_in(airflow)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist's own, which reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process have all tests that share an Airflow, or a file, and begin with those that wait.

    A file that starts an Airflow of its own says so with a mark of its own. The pages' tests share another
    one: in one process they would be the last to end, by a quarter of an hour.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            shared = "airflow_ui" if item.path.parent.name == "ui" else "airflow"
            own = item.path.name
            item.add_marker(pytest.mark.xdist_group(shared if "airflow" in item.fixturenames else own))
    items.sort(key=lambda item: _place(item.get_closest_marker("xdist_group").args[0]))


def _place(group: str) -> tuple[bool, str]:
    waits = group.startswith("airflow")
    return not waits, group if waits else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _fail_if_skipped((yield))


def _fail_if_skipped(report):
    """Under CI everything must run: a skipped test is one nobody notices. An expected failure is no skip."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {report.longrepr[2]}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    """After Ctrl-C, pytest-xdist gives its processes ten seconds; Airflow may need longer to stop."""
    if exitstatus != pytest.ExitCode.INTERRUPTED or os.environ[RUN_BY] != str(os.getpid()):
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(RUN_BY) == os.environ[RUN_BY] and process.pid != os.getpid():
                process.kill()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Let `make record` know what has passed; of a run in which anything has not, nothing is known.

    Each of pytest-xdist's processes comes here too, with its own part.
    """
    is_whole = os.environ[RUN_BY] == str(os.getpid())
    if os.environ.get("RECORD") and is_whole and exitstatus == pytest.ExitCode.OK:
        python = "{}.{}".format(*sys.version_info)
        passed = len(terminalreporter.stats["passed"])
        Record(VERSION, python, config.option.markexpr, passed).keep()
        PAGE.write_text(render(PAGE.read_text()))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say it below pytest's own last line, where it is read."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    skipped = sum(NO_PACKAGE in str(report.longrepr) for report in reporter.stats.get("skipped", []))
    reporter.write_line(f"Skipped for want of a Debian package: {skipped}")
